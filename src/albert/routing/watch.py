"""What time does to requests and replicas: late answers are cut, silent replicas are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from albert.routing.replica import LiveReplica
from albert.routing.route import Route
from albert.routing.sending import Sending

TICK = 0.1
"""Seconds between two looks: one task for all requests costs less than a timer each."""
SILENCE = 1.0
"""Seconds without a byte after which a replica is asked whether it is there."""

Probe = Callable[[LiveReplica], Awaitable[bool]]


class Watch:
    """One for each worker; ``live`` are the requests under way."""

    def __init__(
        self, live: set[Sending], routes: Callable[[], Iterable[Route]], probe: Probe
    ) -> None:
        self._live = live
        self._routes = routes
        self._probe = probe
        self._task: asyncio.Task[None] | None = None
        self._probes: dict[LiveReplica, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        tasks = [*self._probes.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """Cut what is late, and see to the replicas that are silent or open."""
        for sending in list(self._live):
            replica = sending.replica
            if _late(sending, now):
                sending.expire()
            elif replica is not None and not sending.begun and now - sending.touched > SILENCE:
                self._ask(replica, sending.route)
        for route in self._routes():
            for replica in route.replicas:
                if replica.breaker.due and replica.endpoint.ready:
                    self._ask(replica, route)

    def _ask(self, replica: LiveReplica, route: Route) -> None:
        if replica not in self._probes:
            task = self._probes[replica] = asyncio.create_task(self._asked(replica, route))
            task.add_done_callback(lambda _task: self._probes.pop(replica, None))

    async def _asked(self, replica: LiveReplica, route: Route) -> None:
        well = await self._probe(replica)
        if replica.breaker.state == "open":
            replica.breaker.probed(well=well)
        elif not well:
            replica.fail()
        else:
            await asyncio.sleep(SILENCE)  # busy, not dead: leave it alone for a while
        route.wake()


def _late(sending: Sending, now: float) -> bool:
    """Whether a request had its time, or waits for a replica that was lost while another is up."""
    limits = sending.route.model.timeouts
    if now - sending.started > limits.whole:
        return True
    if sending.begun:
        return sending.silent(now)
    if sending.stream and now - sending.touched > limits.first_byte:
        return True
    replica = sending.replica
    lost = replica is not None and replica.lost != sending.lost
    return lost and sending.route.hope(sending.tried)
