"""A machine of a test's own: its network, its /etc, /var and /run, with the real ports of services.

Two namespaces of the kernel, not a container: the programs are those of this machine, and
what they write to /etc or /var goes to memory, and is gone at the end.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0

_FURNISH = """
set -e
mount -t tmpfs tmpfs "$1"
for one in etc var; do
    mkdir "$1/$one" "$1/$one.work"
    mount -t overlay overlay -o "lowerdir=/$one,upperdir=$1/$one,workdir=$1/$one.work" "/$one"
done
mount -t tmpfs tmpfs /run
echo ready
exec sleep infinity
"""


class PrivateMachine:
    """``address`` is the machine's, ``client`` that of whoever asks it something from here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"albert-{secrets.token_hex(4)}"
        net = f"10.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}"
        self.client, self.address = f"{net}.1", f"{net}.2"
        self._holder: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> PrivateMachine:
        ours, theirs = f"a{self._name[-8:]}", f"b{self._name[-8:]}"
        self._folder.mkdir()
        for words in (
            f"ip netns add {self._name}",
            f"ip link add {ours} type veth peer name {theirs} netns {self._name}",
            f"ip addr add {self.client}/24 dev {ours}",
            f"ip link set {ours} up",
            f"ip -n {self._name} addr add {self.address}/24 dev {theirs}",
            f"ip -n {self._name} link set {theirs} up",
            f"ip -n {self._name} link set lo up",
        ):
            subprocess.run(words.split(), check=True)
        self._holder = subprocess.Popen(
            [
                *("ip", "netns", "exec", self._name),
                *("unshare", "--mount", "--propagation", "private"),
                *("bash", "-c", _FURNISH, "furnish", str(self._folder)),
            ],
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what runs in there, and nothing else."""
        while pids := self._pids():  # again: who watches over others starts them anew
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self._holder is not None:
                self._holder.poll()
            for process in self._started:
                process.poll()
        if self._holder is not None and self._holder.stdout is not None:
            self._holder.wait(PATIENCE)
            self._holder.stdout.close()
        for process in self._started:
            process.wait(PATIENCE)
        subprocess.run(["ip", "netns", "del", self._name], check=True)

    def _pids(self) -> list[int]:
        words = ["ip", "netns", "pids", self._name]
        listed = subprocess.run(words, capture_output=True, text=True, check=True)
        return [int(pid) for pid in listed.stdout.split()]

    def _enter(self, words: tuple[str, ...]) -> list[str]:
        assert self._holder is not None
        inside = ["nsenter", f"--target={self._holder.pid}", "--net", "--mount"]
        return [*inside, f"--wdns={ROOT}", "--", *words]

    def run(
        self, *words: str, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, from the root of the repository."""
        done = subprocess.run(
            self._enter(words),
            capture_output=True,
            text=True,
            env={**os.environ, **(env or {})},
            timeout=300,
        )
        assert done.returncode == 0 or not check, f"{words}: {done.stdout}{done.stderr}"
        return done

    def shell(self, command: str) -> str:
        """Type a command of the guide, as root: ``sudo`` is left out."""
        return self.run("bash", "-euc", command.replace("sudo ", "")).stdout

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program that runs until the end of the machine, or its own."""
        log = (self._folder.parent / f"{self._folder.name}-{Path(words[0]).name}.log").open("ab")
        with log:
            process = subprocess.Popen(
                self._enter(words), stdout=log, stderr=log, env={**os.environ, **(env or {})}
            )
        self._started.append(process)
        return process

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def write(self, path: str, text: str) -> None:
        words = self._enter(("tee", path))
        subprocess.run(words, input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def wait_for(self, port: int) -> None:
        """Wait until something listens on a port of the machine, on whichever of its addresses."""
        end = time.monotonic() + PATIENCE
        while f":{port} " not in self.run("ss", "-Hltn").stdout:
            assert time.monotonic() < end, f"nothing listens on {port}"
            time.sleep(0.05)
