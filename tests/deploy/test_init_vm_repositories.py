"""Where ``init_vm.sh`` takes Docker and drivers from, and how it sets Docker."""

from __future__ import annotations

import json

import pytest
from debian_roots import DebianRoot
from new_machine import bash, init_vm, state

pytest_plugins = ("debian_fixtures",)

SOURCED = ". /init_vm.sh; system=debian release=12 codename=bookworm architecture=amd64;"


def test_the_driver_of_debian_is_found_once_its_sections_are_added(
    spare: DebianRoot,
) -> None:
    bash(spare, f"{SOURCED} non_free_apply; non_free_check")
    once = (spare.path / "etc/apt/sources.list.d/albert-non-free.sources").read_text()
    assert "Components: contrib non-free non-free-firmware\n" in once
    planned = bash(
        spare,
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
def test_what_was_set_in_docker_stays(present: object, expected: object, spare: DebianRoot) -> None:
    daemon = spare.path / "etc/docker/daemon.json"
    if present is not None:
        daemon.parent.mkdir()
        daemon.write_text(json.dumps(present))
    bash(spare, f"{SOURCED} daemon_apply; daemon_check")
    assert json.loads(daemon.read_text()) == expected


def test_a_broken_configuration_of_docker_is_refused(spare: DebianRoot) -> None:
    daemon = spare.path / "etc/docker/daemon.json"
    daemon.parent.mkdir()
    daemon.write_text('{"dns": [}')
    before = state(spare)
    done = init_vm(spare, "--without-gpu")
    assert (done.returncode, done.stdout) == (1, "")
    assert "daemon.json n’est pas un objet JSON" in done.stderr
    assert state(spare) == before


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


def test_a_repository_under_another_key_is_refused(spare: DebianRoot) -> None:
    done = init_vm(handing(spare, SIGNER), "--without-gpu")
    assert done.returncode == 1
    assert "n’est pas celle que l’on attend" in done.stderr
    assert declared(spare) == []


@pytest.mark.parametrize("hidden", [[], [SIGNER.replace("stable", "automatic")]])
def test_the_expected_key_is_kept_when_it_is_alone(hidden: list[str], spare: DebianRoot) -> None:
    """apt would trust whatever else comes with it."""
    wanted = bash(spare, f"gpg --show-keys --with-colons {SIGNER} | grep -m1 ^fpr").split(":")[9]
    declare = f"docker_source | repository docker https://example.org/gpg {wanted}"
    done = handing(spare, SIGNER, *hidden).run(["bash", "-c", f"{SOURCED} {declare}"])
    assert done.returncode == len(hidden), done.stderr
    assert declared(spare) == ([] if hidden else ["docker.asc", "docker.sources"])


def test_a_repository_declared_by_the_administrator_stays(spare: DebianRoot) -> None:
    mine = spare.path / "etc/apt/sources.list.d/mine.list"
    mine.write_text("deb https://download.docker.com/linux/debian bookworm stable\n")
    assert "dépôt de Docker" not in init_vm(spare, "--without-gpu", "--dry-run").stdout
