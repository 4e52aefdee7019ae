"""One life of an engine: a process, and all that comes of it, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from albert.serving import keeper
from albert.serving.engine_log import EngineLog
from albert.serving.engines.contract import Launch
from albert.serving.scrubbed import scrubbed

_KEEPER_SECONDS = 1.0
"""More, for a keeper to force the end of those that did not heed SIGTERM."""


class EngineProcess:
    """``async with EngineProcess(launch, …) as process: await process.ended``.

    It ends with the block, or with this process, however that ends.
    """

    def __init__(
        self,
        launch: Launch,
        *,
        log: EngineLog,
        environment: Mapping[str, str],
        secret: str,
        patience: float,
    ) -> None:
        """``patience`` in seconds, between SIGTERM and SIGKILL."""
        self._launch = launch
        self._log = log
        self._environment = {**scrubbed(environment), **launch.environment}
        self._secret = secret
        self._patience = patience

    async def __aenter__(self) -> Self:
        """Launch it.

        Raises:
            OSError: the program is not there, or the system has no room.
        """
        held = (sys.executable, "-P", "-m", keeper.__name__, f"{self._patience:g}")
        self._process = await asyncio.create_subprocess_exec(
            *(() if self._launch.ends_with_input else held),
            *self._launch.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,  # Ctrl-C in the terminal is for us: we stop it in order
        )
        assert self._process.stdin is not None  # noqa: S101 — for mypy: both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(self._launch.input)
        self._lines = asyncio.create_task(self._log.follow(self._process.stdout, self._secret))
        self.ended = asyncio.create_task(self._process.wait())
        """Gives its exit status."""
        return self

    @property
    def pid(self) -> int:
        """Of the engine, or of its keeper; it leads a group of that number."""
        return self._process.pid

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ending = asyncio.ensure_future(self._end())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:  # no hurry leaves a process behind
            await ending
            raise

    async def _end(self) -> None:
        """Ask, then force; whoever is left of the group goes with it."""
        assert self._process.stdin is not None  # noqa: S101 — for mypy
        self._process.stdin.close()
        self._signal(signal.SIGTERM)
        await asyncio.wait((self.ended,), timeout=self._patience + _KEEPER_SECONDS)
        self._signal(signal.SIGKILL)
        await asyncio.wait((self.ended,))
        await asyncio.wait((self._lines,), timeout=1)  # a stranger may hold the pipe open
        self._lines.cancel()
        await asyncio.wait((self._lines,))

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
