"""A machine of a test's own on which systemd runs for real: units start as they will anywhere.

Namespaces of the kernel, not a container: this machine's files are under an overlay in memory, and
its network is shared. All is gone at the end, processes included, however the test ends.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0

# A folder of units of its own: what this machine runs is not started twice. The root is pivoted,
# not changed: who is in a chroot may make no user namespace, and PrivateUsers= needs one.
_BOOT = r"""
set -e
place=$1; shift
mount --make-rprivate /
mount -t tmpfs tmpfs "$place"
mkdir "$place/up" "$place/work" "$place/root"
root=$place/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/up,workdir=$place/work" "$root"
for one in "$@"; do
    mountpoint -q "$one" && mkdir -p "$root$one" && mount --rbind "$one" "$root$one"
done
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for one in null zero full random urandom tty; do
    touch "$root/dev/$one"
    mount --bind "/dev/$one" "$root/dev/$one"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
if [ -d /sys/fs/cgroup/systemd ]; then
    mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
else
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
fi
rm -rf "$root/etc/systemd/system"
mkdir -p "$root/etc/systemd/system"
printf '[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service\n' \
    > "$root/etc/systemd/system/booted.target"
cd "$root"
mkdir run/before
pivot_root . run/before
cd /
exec </dev/null env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c \
    'umount -l /run/before
     exec /lib/systemd/systemd --unit=booted.target --log-target=journal --show-status=no'
"""


class BootedMachine:
    """``with BootedMachine(folder) as machine: machine.said("systemctl", "is-system-running")``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._holder: subprocess.Popen[bytes] | None = None
        self._init = 0

    def __enter__(self) -> BootedMachine:
        self._folder.mkdir()
        kinds = ("--pid", "--mount", "--uts", "--ipc", "--cgroup")
        self._holder = subprocess.Popen(
            [
                *("unshare", "--fork", "--kill-child=KILL", *kinds),
                *("bash", "-c", _BOOT, secrets.token_hex(4), str(self._folder)),
                *(str(ROOT), sys.base_prefix),
            ],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE
        while not self._is_up():
            assert self._holder.poll() is None, "this machine cannot start another"
            assert time.monotonic() < end, "systemd did not start"
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._holder is not None
        with suppress(ProcessLookupError):
            os.killpg(self._holder.pid, signal.SIGKILL)
        self._holder.wait()

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command there, as root."""
        inside = ["nsenter", "-t", str(self._first()), "-m", "-p", "-u", "-i", "-C", "--wd=/"]
        return subprocess.run(
            [*inside, "--", *words],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def said(self, *words: str, given: str = "") -> str:
        """Return what a command that must succeed prints, remarks included."""
        done = self.run(*words, given=given)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}{self.journal()}"
        return done.stdout + done.stderr

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        self.said("install", "-D", f"--mode={mode:o}", "/dev/stdin", path, given=text)

    def journal(self, lines: int = 40) -> str:
        return self.run("journalctl", "--no-pager", "-n", str(lines)).stdout

    def shows(self, unit: str, *properties: str) -> Sequence[str]:
        """Return what systemd knows of a unit."""
        words = [word for one in properties for word in ("-P", one)]
        return self.said("systemctl", "show", *words, unit).split()

    def _is_up(self) -> bool:
        """Whether its systemd takes orders; the unit that it started with is not on ours."""
        ready = "test -e /etc/systemd/system/booted.target && test -S /run/systemd/private"
        return bool(self._children()) and self.run("sh", "-c", ready).returncode == 0

    def _first(self) -> int:
        """Return systemd itself, the one child of ``unshare``."""
        [pid] = self._children()
        return pid

    def _children(self) -> list[int]:
        assert self._holder is not None
        pid = self._holder.pid
        said = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return [int(word) for word in said.split()]
