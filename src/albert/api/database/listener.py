"""What workers tell one another: LISTEN and NOTIFY on a connection of its own."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress

import asyncpg

_log = logging.getLogger(__name__)

_AGAIN = (0.1, 0.25, 0.5, 1.0)
"""Seconds before the next attempts to connect; the last one for ever."""
_PROBE = 10.0
"""Seconds between two looks at a silent connection: a network may die without a word."""
WORKERS = 0x574F524B
"""Of the advisory locks that workers hold while they live ("WORK")."""

Heard = Callable[[str], None]


class Listener:
    """Hears notifications, and holds the lock that says that this worker lives.

    ``worker`` is this worker's number: whoever can take the advisory lock
    ``(WORKERS, worker)`` knows that the worker is gone.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._heard: dict[str, list[Heard]] = {}
        self._lost: list[Callable[[], None]] = []
        self._found: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self.connected = False
        self.worker = random.SystemRandom().randrange(1, 1 << 31)

    def on(self, channel: str, heard: Heard) -> None:
        """Call ``heard`` with the payload of each notification; before ``open``."""
        self._heard.setdefault(channel, []).append(heard)

    def on_change(self, *, lost: Callable[[], None], found: Callable[[], None]) -> None:
        """Call ``lost`` when notifications may be missed, ``found`` when they are heard again."""
        self._lost.append(lost)
        self._found.append(found)

    async def open(self) -> None:
        """Connect, then stay so until ``close``.

        Raises:
            OSError, asyncpg.PostgresError: the first connection cannot be made.
        """
        await self._connect()
        self._task = asyncio.create_task(self._stay())

    async def close(self) -> None:
        self.connected = False
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await self._connection.close(timeout=1)

    async def _connect(self) -> None:
        connection = self._connection = await asyncpg.connect(
            self._uri, timeout=5, command_timeout=5
        )
        for channel, heard in self._heard.items():
            for hear in heard:
                await connection.add_listener(channel, lambda _c, _p, _ch, said, h=hear: h(said))
        await connection.execute("SELECT pg_advisory_lock($1, $2)", WORKERS, self.worker)
        self.connected = True

    async def _stay(self) -> None:
        while self._connection is not None:
            await _until_lost(self._connection)
            self.connected = False
            _log.warning("database lost", extra={"action": "database_lost"})
            for tell in self._lost:
                tell()
            await self._again()
            for tell in self._found:
                tell()

    async def _again(self) -> None:
        attempt = 0
        while not self.connected:
            await asyncio.sleep(_AGAIN[min(attempt, len(_AGAIN) - 1)])
            attempt += 1
            with suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await self._connect()


async def _until_lost(connection: asyncpg.Connection) -> None:
    """Return when the connection is dead."""
    dead = asyncio.Event()
    connection.add_termination_listener(lambda _connection: dead.set())
    while not connection.is_closed() and not dead.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(dead.wait(), _PROBE)
            return
        try:
            await connection.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            connection.terminate()
            return
