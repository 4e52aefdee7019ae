"""Work that may hang: a disk that is gone, a name that no server knows, a driver that is stuck."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

_SPOKEN = 64 * 1024


async def apart(work: Callable[[], T]) -> T:
    """Do something that blocks in a thread of its own, which the end of the program leaves behind.

    ``asyncio.to_thread`` would be waited for, however long it hangs.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if future.done() else setter())

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 — it is raised where it is awaited
            failure = error
            settle(lambda: future.set_exception(failure))
        else:
            settle(lambda: future.set_result(result))

    threading.Thread(target=run, daemon=True).start()
    return await future


async def resolved(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Return the addresses of a name.

    Raises:
        OSError: it has none (``socket.gaierror``).
    """
    found = await apart(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return [(family, str(place[0])) for family, _, _, _, place in found]


async def spoken(command: Sequence[str], seconds: float) -> tuple[int, str] | None:
    """Return the status of a program and what it said; ``None`` where it is not installed.

    Raises:
        TimeoutError: it does not end; it is killed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except (FileNotFoundError, PermissionError):
        return None
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()  # stuck in its driver, it may not even die: it is not waited for
    return process.returncode or 0, said[:_SPOKEN].decode("utf-8", "replace").strip()
