"""Around each call to a model: its limits before, what it cost after, whatever happens."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from albert.api.call import Call, Limiter, Recorder
from albert.asgi.exchange import Reply
from albert.asgi.problems import Problem, problem_of
from albert.domain.errors import AlbertError

LEFT = 499
"""The status of an answer whose reader left first, as nginx has it."""


class Metering:
    """What every worker's calls pass through."""

    def __init__(self, limiter: Limiter, recorder: Recorder) -> None:
        self.limiter = limiter
        self.recorder = recorder

    def of(self, call: Call, reply: Reply) -> _Metered:
        """``async with metering.of(call, reply):`` around what answers a call whose model is known.

        Entering raises:
            LimitExceeded: the bearer has had its share.
        """
        return _Metered(self, call, reply)


class _Metered:
    def __init__(self, metering: Metering, call: Call, reply: Reply) -> None:
        self._metering = metering
        self._call = call
        self._reply = reply

    async def __aenter__(self) -> Self:
        await self._metering.limiter.admit(self._call)
        self._metering.recorder.began(self._call)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        call = self._call
        call.ended = time.perf_counter()
        call.status = _status(error, self._reply.status)
        self._metering.limiter.settle(call)
        self._metering.recorder.ended(call)


def _status(error: BaseException | None, told: int) -> int:
    if isinstance(error, Problem):
        return error.status
    if isinstance(error, AlbertError):
        return problem_of(error).status
    if isinstance(error, asyncio.CancelledError):
        return LEFT
    return told or 500
