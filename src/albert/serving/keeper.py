"""The program that holds an engine and its children: ``python -P -m albert.serving.keeper …``.

Its first argument is the time, in seconds, that the engine has between SIGTERM and SIGKILL.
Runs the program of the others until that ends, or until its own input is closed, which
is how it learns that who launched it is gone, killed with -9 or not. In both cases no
process that came of the engine survives, whatever session it made for itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h: orphans become our children, not init's


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group: we leave last
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    grace, *program = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        engine = subprocess.Popen(  # noqa: S603 — the driver's own words
            program, stdin=subprocess.DEVNULL, restore_signals=True, preexec_fn=_heeding
        )
    except OSError as error:
        sys.exit(f"{program[0]} : {error.strerror}")
    if not _until_end(engine.pid):
        _signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            engine.wait(float(grace))
    status = engine.poll()
    _end_all()
    os._exit(0 if status is None else status if status >= 0 else 128 - status)


def _heeding() -> None:
    """Give the engine back the signals that we ignore."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _until_end(engine: int) -> bool:
    """Wait for the engine's end, or for that of our input; whether it was the engine's."""
    ended = os.pidfd_open(engine)
    wait = select.poll()
    wait.register(ended, select.POLLIN)
    wait.register(0, select.POLLIN | select.POLLHUP)
    while True:
        happened = {number for number, _ in wait.poll()}
        if ended in happened:
            return True
        if not os.read(0, 4096):
            return False


def _end_all() -> None:
    """Kill whatever is left, until nothing is."""
    while True:
        _signal(signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _signal(number: signal.Signals) -> None:
    for process in list(_descendants(os.getpid())):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _descendants(process: int) -> Iterator[int]:
    """Yield every process that came of ours, children before theirs."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (task / "children").read_text("ascii").split()):
                yield child
                yield from _descendants(child)


if __name__ == "__main__":
    main()
