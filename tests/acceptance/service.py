"""The installed program, started and stopped as a user does."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY = "Albert répond sur"


def environment(home: Path) -> dict[str, str]:
    """Return a user's environment: a data folder and a port of its own, no other setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **kept,
        "ALBERT_HOME": str(home),
        "ALBERT_PORT": str(port),
        "ALBERT_CORPUS_FROM": "registry",
    }


class Running:
    """``albert up``, or another verb, in a process group of its own, as in a terminal."""

    def __init__(self, env: dict[str, str], *verb: str, ready: str = READY) -> None:
        self._ready = ready
        self._process = subprocess.Popen(
            [sys.executable, "-m", "albert", *(verb or ("up",))],
            env=env,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.said = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self, seconds: float) -> None:
        """Read what it says until it answers; whatever it said is kept in ``said``."""
        end = time.monotonic() + seconds
        assert self._process.stderr is not None
        while self._ready not in self.said:
            ready, _, _ = select.select([self._process.stderr], [], [], end - time.monotonic())
            assert ready, f"not ready after {seconds} s: {self.said}"
            piece = os.read(self._process.stderr.fileno(), 65536)
            assert piece, f"ended before it was ready: {self.said}"
            self.said += piece.decode()

    def children(self) -> list[int]:
        """Return the processes that it started, and those that they started."""
        found, asked = [], [self.pid]
        while asked:
            tasks = Path(f"/proc/{asked.pop()}/task")
            for task in tasks.iterdir():
                below = [int(pid) for pid in (task / "children").read_text().split()]
                found += below
                asked += below
        return found

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit status."""
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGINT)
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            assert self._process.stderr is not None
            self._process.stderr.close()
