"""The way to one model: its replicas, and those who wait for their turn."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence

import aiohttp

from albert.domain.errors import ModelDown, ModelOverloaded
from albert.routing.replica import LiveReplica, choose
from albert.routing.table import RoutedModel


class Route:
    """One for each model of the table, for the life of a worker or until a reload drops it."""

    def __init__(self, model: RoutedModel) -> None:
        self.model = model
        self.timeout = _connect_within(model)
        self.replicas: list[LiveReplica] = []
        self.extra: dict[str, object] = {}
        """What each streamed request must say besides, for this engine."""
        self._now = 0.0
        """Virtual time: that of the replica that was chosen last."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    def follow(
        self,
        model: RoutedModel | None,
        replicas: Sequence[LiveReplica],
        extra: Mapping[str, object] | None = None,
    ) -> list[LiveReplica]:
        """Be what the table says now; return the replicas that it no longer has."""
        gone = [one for one in self.replicas if one not in replicas]
        if model is not None:
            self.model, self.timeout = model, _connect_within(model)
        self.replicas = list(replicas)
        self.extra = dict(extra or {})
        self.wake()
        return gone

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._waiting)

    async def turn(self, affinity: str = "", tried: Collection[LiveReplica] = ()) -> LiveReplica:
        """Return a replica that is not among ``tried``, taken; first come, first served.

        Give it back with ``leave``.

        Raises:
            ModelDown: none is up.
            ModelOverloaded: too many wait already, or the wait was too long.
        """
        if (tried or not self._waiting) and (chosen := self._take(affinity, tried)):
            return chosen
        if not self.hope(tried):
            raise self.down()
        if len(self._waiting) >= self.model.limits.queue and not tried:
            raise ModelOverloaded
        try:
            async with asyncio.timeout(self.model.limits.wait):
                return await self._queued(affinity, tried)
        except TimeoutError:
            raise ModelOverloaded from None

    async def _queued(self, affinity: str, tried: Collection[LiveReplica]) -> LiveReplica:
        join = self._waiting.appendleft if tried else self._waiting.append
        while True:
            called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            join(called)
            join = self._waiting.appendleft  # whoever was first stays first
            try:
                await called
            except asyncio.CancelledError:
                if called.done() and not called.cancelled():
                    self.wake()  # the turn that came to us is somebody else's
                raise
            finally:
                if called in self._waiting:
                    self._waiting.remove(called)
            if chosen := self._take(affinity, tried):
                self.wake()
                return chosen
            if not self.hope(tried):
                self.wake()
                raise self.down()

    def hope(self, tried: Collection[LiveReplica]) -> bool:
        """Whether somebody may have room later."""
        return any(one.up for one in self.replicas if one not in tried)

    def _take(self, affinity: str, tried: Collection[LiveReplica]) -> LiveReplica | None:
        able = [one for one in self.replicas if one not in tried] if tried else self.replicas
        if chosen := choose(able, affinity):
            self._now = max(self._now, chosen.served)
            chosen.take(self._now)
        return chosen

    def leave(self, replica: LiveReplica) -> None:
        """Give back a replica that was taken."""
        replica.in_flight -= 1
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        """Call the first who waits: there may be room, or nobody left to wait for."""
        while self._waiting:
            called = self._waiting.popleft()
            if not called.done():
                called.set_result(None)
                return

    def down(self, why: str = "") -> ModelDown:
        """Return the error of a model none of whose replicas is up; ``why`` is a sentence."""
        pauses = [one.breaker.wait for one in self.replicas if not one.draining]
        error = ModelDown(
            why
            or f"Aucune réplique de « {self.model.name} » ne répond : réessayez dans un instant."
        )
        error.seconds = max(1, math.ceil(min(pauses, default=1.0)))
        return error


def _connect_within(model: RoutedModel) -> aiohttp.ClientTimeout:
    """Return the one limit that the HTTP client keeps itself; the watch keeps the others."""
    return aiohttp.ClientTimeout(total=None, sock_connect=model.timeouts.connect)
