"""What restarts a set of workers here, where no systemd runs.

``python worker_set.py stop|restart PORT FOLDER``: the process is a real one, ended by SIGTERM as
systemd does, and started with the environment that the caller has.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


def stop(pid_file: Path) -> None:
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while _runs(pid):
        time.sleep(0.05)
    pid_file.unlink()


def start(port: str, folder: Path) -> None:
    with (folder / f"{port}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "albert", "serve", "api", "--port", port],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / f"{port}.pid").write_text(str(process.pid))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"  # ended, and nobody has asked how


if __name__ == "__main__":
    verb, port, where = sys.argv[1:]
    stop(Path(where) / f"{port}.pid")
    if verb == "restart":
        start(port, Path(where))
