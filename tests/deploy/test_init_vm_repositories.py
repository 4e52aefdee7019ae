"""Where ``init_vm.sh`` takes Docker and drivers from, and how it sets Docker."""

from __future__ import annotations

import json

import pytest
from debian_roots import DebianRoot
from new_machine import bash, having, init_vm, state

pytest_plugins = ("debian_fixtures",)

SOURCED = ". /init_vm.sh; system=debian release=12 codename=bookworm architecture=amd64;"


def test_the_sections_of_debian_that_the_driver_needs_are_added(spare: DebianRoot) -> None:
    said = "apt-cache madison nvidia-modprobe nvidia-persistenced"
    assert bash(spare, f"{SOURCED} contrib_apply; contrib_check; {said}").count("/contrib ") >= 2


# Packages as NVIDIA's are named, all but empty; the driver's library is another one.
REPOSITORY = """
mkdir /repo; cd /repo
for package in nvidia-driver-cuda nvidia-kernel-open-dkms nvidia-persistenced nvidia-modprobe \
    linux-headers-amd64; do
    mkdir -p $package/DEBIAN $package/usr/bin $package/usr/lib/x86_64-linux-gnu
    printf '%s\n' "Package: $package" 'Version: 999:580.95.05-1' 'Architecture: amd64' \
        'Maintainer: x' 'Description: x' > $package/DEBIAN/control
    case $package in
        *-modprobe) cp /bin/true $package/usr/bin/$package ;;
        *-cuda)
            cp /bin/true $package/usr/bin/nvidia-smi
            cd $package/usr/lib/x86_64-linux-gnu
            sed s/libgomp.so.1/libcuda.so.1/g /usr/lib/x86_64-linux-gnu/libgomp.so.1 > libcuda.so.1
            cd /repo
            printf '#!/bin/sh\nldconfig\n' > $package/DEBIAN/postinst
            chmod 755 $package/DEBIAN/postinst
            ;;
    esac
    dpkg-deb -b $package . > /dev/null
    file=$(ls ${package}_*.deb)
    cat $package/DEBIAN/control
    printf '%s\n' "Filename: ./$file" "Size: $(stat -c %s $file)" \
        "SHA256: $(sha256sum < $file | cut -d' ' -f1)" ''
done > Packages
echo 'deb [trusted=yes] file:/repo ./' > /etc/apt/sources.list.d/local.list
"""


def test_the_driver_is_installed_with_what_vllm_needs(spare: DebianRoot) -> None:
    bash(spare, REPOSITORY)
    assert spare.run(["bash", "-c", f"{SOURCED} driver_check"]).returncode == 1
    bash(spare, f"{SOURCED} driver_apply; driver_check")


@pytest.mark.parametrize(
    ("version", "tools", "ready"),
    [
        ("580.95.05-1", "nvidia-smi nvidia-modprobe libcuda", True),
        ("610.57.04-1", "nvidia-smi nvidia-modprobe libcuda", True),
        ("575.57.08-1", "nvidia-smi nvidia-modprobe libcuda", False),
        ("580.95.05-1", "nvidia-modprobe libcuda", False),
        ("580.95.05-1", "nvidia-smi libcuda", False),
        ("580.95.05-1", "nvidia-smi nvidia-modprobe", False),
    ],
)
def test_a_driver_is_ready_when_vllm_can_run_on_it(
    version: str, tools: str, ready: bool, spare: DebianRoot
) -> None:
    """A library that says that it is libcuda is made of another one, whose name is as long."""
    libraries = "/usr/lib/x86_64-linux-gnu"
    make = f"sed s/libgomp.so.1/libcuda.so.1/g {libraries}/libgomp.so.1 > {libraries}/libcuda.so.1"
    for tool in tools.split():
        command = f"{make}; ldconfig" if tool == "libcuda" else f"cp /bin/true /usr/bin/{tool}"
        bash(spare, command)
    with having(spare, "nvidia-driver-cuda", version):
        done = spare.run(["bash", "-c", f"{SOURCED} driver_check"])
    assert (done.returncode == 0) is ready


def test_docker_and_the_toolkit_are_upgraded_too_and_the_driver_is_not(spare: DebianRoot) -> None:
    """Judged by the program itself, on the packages of both repositories."""
    bash(spare, f"{SOURCED} upgrades_apply; upgrades_check")
    judge = """
import importlib.machinery, sys, types
loader = importlib.machinery.SourceFileLoader("judge", "/usr/bin/unattended-upgrade")
judge = types.ModuleType("judge"); loader.exec_module(judge)
import apt_pkg; apt_pkg.init()
patterns = judge.get_allowed_origins()
for site in ("download.docker.com", "nvidia.github.io", "developer.download.nvidia.com"):
    from_there = types.SimpleNamespace(
        site=site, origin="x", label="x", archive="x", component="x", codename="x")
    print(site, any(judge.match_whitelist_string(one, from_there) for one in patterns))
held = apt_pkg.config.value_list("Unattended-Upgrade::Package-Blacklist")
for name in ("nvidia-container-toolkit", "libnvidia-container1", "docker-ce", "nvidia-driver-cuda",
             "libnvidia-compute-580", "libcuda1", "linux-modules-nvidia-580-server-generic"):
    print(name, judge.is_pkgname_in_blacklist(name, held))
"""
    assert bash(spare, "python3 -", entry=judge).splitlines() == [
        "download.docker.com True",
        "nvidia.github.io True",
        "developer.download.nvidia.com False",
        "nvidia-container-toolkit False",
        "libnvidia-container1 False",
        "docker-ce False",
        "nvidia-driver-cuda True",
        "libnvidia-compute-580 True",
        "libcuda1 True",
        "linux-modules-nvidia-580-server-generic True",
    ]


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
    assert (done.returncode != 0) is bool(hidden), done.stderr
    assert declared(spare) == ([] if hidden else ["docker.asc", "docker.sources"])


def test_a_repository_declared_by_the_administrator_stays(spare: DebianRoot) -> None:
    mine = spare.path / "etc/apt/sources.list.d/mine.list"
    mine.write_text("deb https://download.docker.com/linux/debian bookworm stable\n")
    assert "dépôt de Docker" not in init_vm(spare, "--without-gpu", "--dry-run").stdout
