"""Real containers without Docker: podman and podman-compose, as a host would have them."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / ".venv/deploy/bin/podman-compose"
IMAGE = "localhost/albert-release-test"

# In a machine that is itself a container: no cgroups to divide, no limits to raise.
_PODMAN = """#!/bin/sh
export STORAGE_DRIVER=vfs
verb=$1
shift
case $verb in run | create) set -- --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 "$@" ;; esac
exec /usr/bin/podman --runtime runc --cgroup-manager=cgroupfs "$verb" "$@"
"""


def programs(folder: Path) -> Path:
    """Write ``podman`` and ``podman-compose``, and return the second."""
    folder.mkdir()
    podman, compose = folder / "podman", folder / "podman-compose"
    podman.write_text(_PODMAN)
    compose.write_text(f'#!/bin/sh\nexec {COMPOSE} --podman-path {podman} "$@"\n')
    for path in (podman, compose):
        path.chmod(0o755)
    return compose


def image(compose: Path, version: str) -> str:
    """Make an image of two megabytes, whose web server is healthy wherever it is started."""
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add("/usr/bin/busybox", "bin/busybox")
        archive.addfile(_link("bin/sh"))
        for name in ("www/health", "www/api/health/ready", "www/sick/nothing"):
            archive.addfile(tarfile.TarInfo(name))
    name = f"{IMAGE}:{version}"
    podman = compose.with_name("podman")
    subprocess.run([podman, "import", "--quiet", "-", name], input=packed.getvalue(), check=True)
    return name


def running(compose: Path, project: str) -> set[str]:
    """Return the names of the project's containers that run."""
    wanted = f"label=io.podman.compose.project={project}"
    told = subprocess.run(
        [compose.with_name("podman"), "ps", "--filter", wanted, "--format", "{{.Names}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.split())


def remove(compose: Path, project: str) -> None:
    """Remove the project's containers."""
    wanted = f"label=io.podman.compose.project={project}"
    podman = compose.with_name("podman")
    told = subprocess.run(
        [podman, "ps", "--all", "--quiet", "--filter", wanted],
        capture_output=True,
        text=True,
        check=True,
    )
    if told.stdout:
        subprocess.run([podman, "rm", "--force", "--time", "0", *told.stdout.split()], check=True)


def _link(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
    return entry
