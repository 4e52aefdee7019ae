"""A bare Debian 12 in a folder: made once for all runs, copied for each test.

Its apt is this machine's own: the same sources, proxies and authorities, so that no address is
written here.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"

# Mounts and processes go with the command that wanted them, however it ends.
INSIDE = """
mount -t proc proc "$0/proc" && mount --bind /sys "$0/sys" && exec chroot "$0" "$@"
"""

# An authority of this machine's own, or a proxy, is reached from the root as from here.
OF_THIS_MACHINE = ("etc/apt", "etc/ssl/certs", "usr/local/share/ca-certificates")


@dataclass(frozen=True)
class DebianRoot:
    """A root of one's own, in which commands run as root."""

    path: Path

    def run(
        self, words: Sequence[str], *, given: Mapping[str, str] | None = None, entry: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with ``entry`` as its input; its code is for the caller to judge."""
        return subprocess.run(
            self.words(words),
            env={**environment(), **(given or {})},
            input=entry,
            capture_output=True,
            text=True,
            check=False,
        )

    def words(self, words: Sequence[str]) -> list[str]:
        """The command as it is to be started from here, for one that is watched or killed."""
        isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*isolated, "sh", "-c", INSIDE, str(self.path), *words]

    def said(self, *words: str) -> str:
        """What a command that must succeed prints."""
        done = self.run(words)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


def environment() -> dict[str, str]:
    """A new machine's, and the way out of this one."""
    way_out = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return {
        **way_out,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/" + "root",
        "LANG": "C.UTF-8",
    }


def cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "albert-test-deploy"


def archive() -> Path:
    """The bare system as a tar file, made when it is not there yet (a minute)."""
    kept = cache() / f"{SUITE}.tar"
    with _alone(kept):
        if not kept.exists():
            _make(kept)
    return kept


def unpack(into: Path) -> DebianRoot:
    """A root of one's own, with what this machine's apt needs."""
    into.mkdir()
    subprocess.run(["tar", "-x", "-p", "--numeric-owner", "-f", archive(), "-C", into], check=True)
    for folder in OF_THIS_MACHINE:
        if Path("/", folder).is_dir():
            shutil.copytree(Path("/", folder), into / folder, symlinks=True, dirs_exist_ok=True)
    shutil.copy("/etc/resolv.conf", into / "etc/resolv.conf")
    # invoke-rc.d asks it: nothing that is installed starts by itself
    refusing = into / "usr/sbin/policy-rc.d"
    refusing.write_text("#!/bin/sh\nexit 101\n")
    refusing.chmod(0o755)
    return DebianRoot(into)


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(kept: Path) -> None:
    root = kept.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    print(f"Création d'une racine Debian 12 dans {kept.parent}…", file=sys.stderr)  # noqa: T201
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", SUITE, root, *_mirror()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
    for downloaded in (root / "var/cache/apt/archives").glob("*.deb"):
        downloaded.unlink()
    shutil.rmtree(root / "var/lib/apt/lists")
    (root / "etc/apt/sources.list").unlink()
    part = kept.with_suffix(".part")
    subprocess.run(["tar", "--create", "--numeric-owner", "-f", part, "-C", root, "."], check=True)
    part.replace(kept)
    shutil.rmtree(root)


def _mirror() -> list[str]:
    """Where this machine's own apt finds the suite; else where debootstrap looks by itself."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    about = ["Created-By: Packages", f"Codename: {SUITE}", "Component: main"]
    told = subprocess.run([*asked, *about], capture_output=True, text=True, check=True).stdout
    return told.split()[:1]
