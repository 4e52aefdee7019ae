"""What ``init_vm.sh`` would do to a machine, and what it refuses, before it changes anything."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian_roots import DebianRoot
from new_machine import GIVEN, KEY, SCRIPT, SYSTEMS, bash, having, init_vm, state

pytest_plugins = ("debian_fixtures",)

PLANS = Path(__file__).parent / "plans"


@pytest.fixture
def bare(bare_root: DebianRoot) -> Iterator[DebianRoot]:
    """A bare machine, which is as it was when the test is over."""
    shutil.copy(SCRIPT, bare_root.path / "init_vm.sh")
    before = state(bare_root)
    yield bare_root
    assert state(bare_root) == before


@pytest.fixture(params=["ubuntu-22.04", "ubuntu-24.04", "debian-12"])
def system(request: pytest.FixtureRequest, bare_root: DebianRoot) -> Iterator[str]:
    name = str(request.param)
    with as_system(bare_root, name):
        yield name


class as_system:  # noqa: N801 — reads as a phrase
    """The machine, as long as it says that it is another."""

    def __init__(self, root: DebianRoot, name: str) -> None:
        self._file, self._name = root.path / "usr/lib/os-release", name

    def __enter__(self) -> None:
        self._own = self._file.read_text()
        self._file.write_text(SYSTEMS[self._name])

    def __exit__(self, *_: object) -> None:
        self._file.write_text(self._own)


def refusal(bare: DebianRoot, *options: str, **changed: str | None) -> str:
    """The one sentence of a refusal."""
    wanted = {**GIVEN, **changed}
    given = {name: value for name, value in wanted.items() if value is not None}
    done = init_vm(bare, *options, given=given)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def lines_without(system: str, *words: str) -> list[str]:
    plan = (PLANS / f"{system}.txt").read_text().splitlines()
    return [line for line in plan if not any(word in line for word in words)]


def test_shellcheck_finds_nothing() -> None:
    checks = "quote-safe-variables,deprecate-which,avoid-nullary-conditions"
    done = subprocess.run(
        ["shellcheck", f"--enable={checks}", SCRIPT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_plan_of_each_system_is_the_expected_one(system: str, bare: DebianRoot) -> None:
    done = init_vm(bare, "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (PLANS / f"{system}.txt").read_text()


def test_without_gpu_nothing_of_nvidia_is_planned(system: str, bare: DebianRoot) -> None:
    plan = init_vm(bare, "--dry-run", "--without-gpu").stdout
    assert plan.splitlines() == lines_without(system, "NVIDIA", "nvidia", "contrib")


def test_without_docker_nothing_of_docker_is_planned(system: str, bare: DebianRoot) -> None:
    plan = init_vm(bare, "--dry-run", "--without-docker").stdout.splitlines()
    compiler = plan.pop(-2)
    assert plan == lines_without(system, "ocker", "conteneurs", "container-toolkit")
    python = "python3.11" if system == "ubuntu-22.04" else "python3"
    assert compiler.endswith(f"vLLM fait en démarrant (gcc libc6-dev {python}-dev)")


@pytest.mark.parametrize(
    ("option", "phrase"),
    [
        ("--with-npm", "installer nodejs et npm"),
        ("--with-sudo", "permettre sudo à gitlab, avec son mot de passe"),
        ("--with-password-ssh", "limiter les sessions SSH de gitlab (clef ou mot de passe"),
    ],
)
def test_an_option_is_in_the_plan(option: str, phrase: str, bare: DebianRoot) -> None:
    asked = init_vm(bare, "--dry-run", option).stdout.splitlines()
    unasked = init_vm(bare, "--dry-run").stdout.splitlines()
    (line,) = set(asked) - set(unasked)
    assert line.startswith(f"- {phrase}")


def test_another_driver_of_ubuntu_can_be_chosen(bare: DebianRoot) -> None:
    with as_system(bare, "ubuntu-24.04"):
        plan = init_vm(bare, "--dry-run", "--gpu-driver", "nvidia-driver-590-server").stdout
    assert (
        "- installer le pilote NVIDIA (nvidia-driver-590-server ; nvidia-modprobe "
        "linux-headers-generic)" in plan
    )


@pytest.mark.parametrize("name", ["debian-11", "fedora-41", "mint-22"])
def test_another_system_is_refused_by_its_name(name: str, bare: DebianRoot) -> None:
    with as_system(bare, name):
        said = refusal(bare)
    assert SYSTEMS[name].split('PRETTY_NAME="')[1].split('"')[0] in said
    assert "Ubuntu 22.04 ou 24.04, ou Debian 12" in said


def test_someone_else_than_root_is_told_the_command(bare: DebianRoot) -> None:
    done = bare.run(["setpriv", "--reuid=nobody", "bash", "/init_vm.sh"], given=GIVEN)
    assert done.returncode == 1
    assert (
        "sudo --preserve-env=GITLAB_PASSWORD,GITLAB_SSH_PUBLIC_KEY bash ./init_vm.sh" in done.stderr
    )


@pytest.mark.parametrize("name", ["GITLAB_PASSWORD", "GITLAB_SSH_PUBLIC_KEY"])
@pytest.mark.parametrize("value", ["", None])
def test_a_missing_variable_is_named(name: str, value: str | None, bare: DebianRoot) -> None:
    assert f"la variable {name} manque" in refusal(bare, **{name: value})


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("Xy7!é", "12 caractères au moins"),
        ("aaaaaaaaaaaaaaaa", "se devine"),
        ("1212121212121212", "se devine"),
        ("Gitlab-2026-prod", "se devine"),
        ("assez long\nmais sur deux lignes", "caractère de contrôle"),
    ],
)
def test_a_weak_password_is_refused_and_not_repeated(
    password: str, reason: str, bare: DebianRoot
) -> None:
    said = refusal(bare, GITLAB_PASSWORD=password)
    assert reason in said
    assert password not in said


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("AAAAC3NzaC1lZDI1NTE5", "n’est pas une clef publique"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACBAP nom", "n’est pas une clef publique"),
        (f"{KEY}\n{KEY}", "n’est pas une clef publique"),
        (f'command="sh" {KEY}', "n’est pas une clef publique"),
        (KEY[:60], "abîmée ou coupée"),
        (KEY.replace("ssh-ed25519", "ssh-rsa"), "abîmée ou coupée"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz", "contient une clef privée"),
    ],
)
def test_what_is_no_public_key_is_refused(key: str, reason: str, bare: DebianRoot) -> None:
    assert reason in refusal(bare, GITLAB_SSH_PUBLIC_KEY=key)


def test_a_short_rsa_key_is_refused(bare: DebianRoot, tmp_path: Path) -> None:
    made = ["ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(made, check=True)
    short = (tmp_path / "key.pub").read_text()
    assert "RSA trop courte" in refusal(bare, GITLAB_SSH_PUBLIC_KEY=short)


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_each_kind_of_key_is_accepted(kind: str, bare: DebianRoot, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(tmp_path / "key")],
        check=True,
    )
    public = (tmp_path / "key.pub").read_text()
    done = init_vm(bare, "--dry-run", given={**GIVEN, "GITLAB_SSH_PUBLIC_KEY": public})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--sans-gpu"], "l’option « --sans-gpu » n’existe pas"),
        (["--gpu-driver"], "--gpu-driver veut un paquet"),
        (["--gpu-driver", "nvidia; reboot"], "--gpu-driver veut un paquet"),
        (["--gpu-driver", "nvidia-driver-535-server"], "580 ou plus récent"),
        (["--env-file"], "--env-file veut un fichier"),
        (["--env-file", "absent.env"], "« absent.env » ne peut pas être lu"),
        (["--gpu-driver", "nvidia-driver-580-server", "--without-gpu"], "se contredisent"),
        (["--gpu-driver", "nvidia-driver-580-server"], "n’a de sens que sur Ubuntu"),
    ],
)
def test_a_wrong_option_is_refused(options: list[str], reason: str, bare: DebianRoot) -> None:
    assert reason in refusal(bare, *options)


def test_help_names_each_option_and_variable(bare: DebianRoot) -> None:
    said = init_vm(bare, "--help", given={}).stdout
    options = bash(bare, r"grep -oE '^ +--[a-z-]+\)' /init_vm.sh").replace(")", "").split()
    assert len(options) >= 7
    assert all(option in said for option in [*options, "--help", *GIVEN])


def test_docker_of_the_distribution_is_refused_by_its_package(bare: DebianRoot) -> None:
    with having(bare, "docker.io", "20.10"):
        assert "apt-get remove docker.io" in refusal(bare)


def test_a_driver_that_the_pinned_vllm_cannot_use_is_refused(bare: DebianRoot) -> None:
    with having(bare, "nvidia-driver", "535.261.03-1~deb12u1"):
        said = refusal(bare)
        local = init_vm(bare, "--dry-run", "--without-gpu")
    assert "est le 535.261.03-1~deb12u1, et vLLM demande le 580 ou plus récent" in said
    assert "--without-gpu" in said
    assert local.returncode == 0
