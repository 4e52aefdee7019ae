"""Every block of commands of the deployment guide, typed as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import debian_roots
import pytest
from certificates import DIRECTORY, start_authority
from guide import DOMAIN, ROOT, blocks, commands, kinds, put_programs
from new_machine import GIVEN, SCRIPT
from private_machine import PrivateMachine
from proxy_site import start_upstream

TYPED = {"init", "clone", "doctor", "hub", "docker", "verify"} | {
    *("nginx", "certbot", "firewall", "containers")
}
ELSEWHERE = {"systemd"}
"""``test_systemd.py`` types it, on a machine where systemd runs."""
SITE = "/etc/nginx/sites-available/albert.conf"


def test_each_block_is_of_a_kind_that_is_typed_here() -> None:
    assert kinds() == TYPED | ELSEWHERE


@dataclass(frozen=True)
class Clone:
    """A fresh clone in which the guide's own commands were typed, in a home of its own."""

    home: Path
    said: str

    @property
    def folder(self) -> Path:
        return self.home / "albert-backend"

    def type(self, block: str, **more: str) -> subprocess.CompletedProcess[str]:
        return bash(block, self.folder, self.home, **more)


def bash(block: str, folder: Path, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    home = tmp_path_factory.mktemp("home")
    typed = "\n".join(blocks("clone"))
    typed, replaced = re.subn(r"git clone \S+", f"git clone --quiet {ROOT}", typed)
    assert replaced == 1
    done = bash(typed, home, home)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return Clone(home, done.stdout)


def test_a_clone_is_installed_and_knows_its_version(clone: Clone) -> None:
    assert "Albert est installé dans .venv." in clone.said
    assert re.search(r"^albert \d+\.\d+", clone.said, re.MULTILINE)


def test_the_example_of_a_table_is_right(clone: Clone) -> None:
    assert "albert-light : text-generation, vllm" in clone.said


def test_the_secrets_are_drawn_and_read_by_their_owner_alone(clone: Clone) -> None:
    file = clone.folder / "environments" / "main.env"
    assert file.stat().st_mode & 0o777 == 0o600
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", file.read_text("utf-8"), re.MULTILINE))
    names = ("SECRET_KEY", "FIRST_ADMIN_PASSWORD", "LLM_API_KEY", "POSTGRES_PASSWORD")
    drawn = [values[name] for name in names]
    assert all(re.fullmatch("[0-9a-f]{64}", secret) for secret in drawn)
    assert len(set(drawn)) == len(drawn)


def test_the_doctor_says_that_the_database_is_not_there(clone: Clone) -> None:
    (block,) = blocks("doctor")
    done = clone.type(block)
    assert done.returncode == 1
    assert "5432" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_models_would_be_asked_of_a_hub_that_no_test_reaches(clone: Clone) -> None:
    """Each command gets as far as the hub: what it asks for is well said."""
    (block,) = blocks("hub")
    for command in commands(block):
        done = clone.type(command, HF_HUB_OFFLINE="1", ALBERT_HOME=str(clone.home / "data"))
        assert done.returncode == 1, (command, done.stderr)
        assert done.stderr.splitlines()[-1].startswith("Erreur : "), (command, done.stderr)


def test_the_composed_environment_is_rendered_as_far_as_an_engine_is_needed(clone: Clone) -> None:
    """No Docker engine runs in a test: the verbs that drive one say so, in one sentence."""
    typed = [command for block in blocks("docker") for command in commands(block)]
    assert clone.type(next(line for line in typed if " render " in line)).returncode == 0
    assert (clone.folder / "build" / "main" / "localhost" / "compose.yml").exists()
    for line in typed:
        verb = re.search(r"albert deploy (\w+)", line)
        if verb and verb[1] not in ("render",):
            done = clone.type(line)
            assert done.returncode == 1, (line, done.stdout, done.stderr)
            assert "Traceback" not in done.stderr
            assert "Usage: albert" not in done.stderr, line
    assert [
        line.split()[:2] for line in typed if "albert" not in line.split("/")[-1].split()[0]
    ] == [
        ["docker", "compose"],
        ["bash", "utils/build_images.sh"],
    ]


def test_what_would_be_verified_is_asked_and_reported(clone: Clone) -> None:
    (block,) = blocks("verify")
    done = clone.type(f"{block.strip()} --timeout 1")
    assert done.returncode == 1
    assert "0 réussies" in done.stdout
    assert (clone.folder / "rapport.xml").read_bytes().startswith(b"<?xml")


def test_a_new_machine_is_prepared(tmp_path: Path) -> None:
    """Without Docker nor a graphics card, whose own repositories no test reaches."""
    root = debian_roots.unpack(tmp_path / "root")
    shutil.copy(SCRIPT, root.path / "init_vm.sh")
    (block,) = blocks("init")
    local = " --without-gpu --without-docker"
    typed = re.sub(r"(init_vm\.sh)", rf"\1{local}", block)
    done = root.run(["bash", "-euc", typed], given=GIVEN)
    assert done.returncode == 0, done.stderr
    assert "La machine est prête." in done.stdout.splitlines()
    assert "pipeline" in (root.path / "home/gitlab/.ssh/authorized_keys").read_text()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMachine]:
    """A machine with workers behind, an authority for certificates, and nginx by the guide."""
    folder = tmp_path_factory.mktemp("guide")
    with PrivateMachine(folder / "machine") as one:
        start_upstream(one, "first", 8090, 9000)
        authority = start_authority(one, folder)
        settings = (
            f"server = {DIRECTORY}\nagree-tos = true\nregister-unsafely-without-email = true\n"
        )
        one.run("mkdir", "-p", "/etc/letsencrypt")
        one.write("/etc/letsencrypt/cli.ini", settings)
        programs = put_programs(folder / "bin")
        for kind in ("nginx", "certbot"):
            typed(one, programs, kind, REQUESTS_CA_BUNDLE=str(authority))
        yield one


def typed(machine: PrivateMachine, programs: Path, kind: str, **more: str) -> str:
    """Type the block of a kind on the machine; nobody answers its questions but « y »."""
    (block,) = blocks(kind)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **more}
    return machine.run("bash", "-euc", f"{{\n{block}\n}} <<<$'y\\ny\\ny\\ny'", env=env).stdout


def test_nginx_serves_the_domain_over_tls_and_http2(machine: PrivateMachine) -> None:
    asked = f"https://{DOMAIN}/x"
    said = ""
    for _ in range(50):  # nginx reads its site anew while we ask
        said = machine.run(
            *("curl", "--silent", "--insecure", "--http2", "--output", "/dev/null"),
            *("--write-out", "%{http_version} %{http_code}", "--noproxy", "*"),
            *("--resolve", f"{DOMAIN}:443:127.0.0.1", asked),
            check=False,
        ).stdout
        if said == "2 200":
            break
    assert said == "2 200"
    assert "managed by Certbot" in machine.read(SITE)


AS_ITS_PACKAGE_DOES = "fail2ban-client -x start </dev/null >/dev/null 2>&1"


def test_the_firewall_lets_albert_and_ssh_in_and_the_jails_are_set(
    machine: PrivateMachine, tmp_path: Path
) -> None:
    machine.run("mkdir", "-p", "/var/log/albert")
    machine.run("touch", "/var/log/albert/auth.log", "/var/log/auth.log")
    machine.run("bash", "-c", AS_ITS_PACKAGE_DOES)
    typed(machine, put_programs(tmp_path / "bin"), "firewall")
    rules = machine.run("ufw", "status").stdout
    assert re.search(r"^Albert\s+ALLOW", rules, re.MULTILINE)
    assert re.search(r"^22/tcp\s+ALLOW", rules, re.MULTILINE)
    jails = machine.run("fail2ban-client", "status").stdout
    assert "albert, albert-token" in jails


def test_the_log_that_containers_write_is_rotated(machine: PrivateMachine, tmp_path: Path) -> None:
    typed(machine, put_programs(tmp_path / "bin"), "containers")
    machine.shell("sudo cp ./contrib/logrotate/albert /etc/logrotate.d/albert")
    container = ("setpriv", "--reuid=10001", "--regid=10001", "--clear-groups")
    machine.run("rm", "-f", "/var/log/albert/auth.log")
    machine.run(*container, "sh", "-c", "umask 027; echo one >/var/log/albert/auth.log")
    machine.run("logrotate", "--force", "/etc/logrotate.d/albert")
    machine.run(*container, "sh", "-c", "echo two >>/var/log/albert/auth.log")

    assert machine.read("/var/log/albert/auth.log.1") == "one\n"
    assert machine.read("/var/log/albert/auth.log") == "two\n"
