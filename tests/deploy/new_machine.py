"""What ``init_vm.sh`` is given and told, in a root of Debian."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from debian_roots import DebianRoot

SCRIPT = Path(__file__).parents[2] / "utils" / "init_vm.sh"

# Made for these tests; nothing has its private half.
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAPHZSxeAAyKIhCAIo7EVT6xOSQn/s3nCPom0e+fhFU3 ci@albert"
GIVEN = {"GITLAB_PASSWORD": "Sûr: 12 mots$ «é»", "GITLAB_SSH_PUBLIC_KEY": KEY}

LOCAL = ("--without-gpu", "--without-docker")

SYSTEMS = {
    "ubuntu-22.04": 'ID=ubuntu\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n',
    "ubuntu-24.04": 'ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n',
    "debian-12": 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
    "debian-11": 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
    "fedora-41": 'ID=fedora\nVERSION_ID=41\nPRETTY_NAME="Fedora Linux 41 (Server Edition)"\n',
    "mint-22": 'ID=linuxmint\nID_LIKE=ubuntu\nVERSION_ID="22"\nPRETTY_NAME="Linux Mint 22"\n',
}


def init_vm(
    root: DebianRoot, *options: str, given: Mapping[str, str] = GIVEN
) -> subprocess.CompletedProcess[str]:
    """Copy the script alone to the machine, and run it there."""
    shutil.copy(SCRIPT, root.path / "init_vm.sh")
    return root.run(["bash", "./init_vm.sh", *options], given=given)


def bash(root: DebianRoot, commands: str, entry: str = "") -> str:
    """What commands print that must all succeed."""
    done = root.run(["bash", "-euo", "pipefail", "-c", commands], entry=entry)
    assert done.returncode == 0, f"{commands}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stdout


@contextmanager
def having(root: DebianRoot, package: str, version: str) -> Iterator[None]:
    """The machine, as long as dpkg believes that it has a package."""
    status = root.path / "var/lib/dpkg/status"
    own = status.read_text()
    status.write_text(
        f"{own}\nPackage: {package}\nStatus: install ok installed\nVersion: {version}\n"
        "Architecture: amd64\nMaintainer: x\nDescription: x\n"
    )
    try:
        yield
    finally:
        status.write_text(own)


def state(root: DebianRoot) -> str:
    """Everything that a preparation may change: files with owners, rights and dates, packages."""
    return bash(
        root,
        "find etc home opt root srv usr/local var/log var/lib/apt "
        "-printf '%p %y %m %u %g %T@ %l\\n' | sort;"
        "find etc home -type f -print0 | sort -z | xargs -0 sha256sum; dpkg-query -W",
    )
