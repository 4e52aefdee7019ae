"""Calls of one account that wait for the ledger: in turn, and together where they can."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from albert.api.features.limits.gauge import Gauge, Want
from albert.api.features.limits.headers import exceeded, told
from albert.api.features.limits.ledger import Ledger
from albert.api.features.limits.teller import Teller
from albert.asgi.exchange import Header
from albert.domain.errors import DatabaseError, Unauthenticated

Gauges = tuple[Gauge, ...]


@dataclass(slots=True, eq=False)
class _Waiting:
    gauges: Gauges
    tokens: int
    admitted: asyncio.Future[None]
    until: float | None = None
    """When what other workers may give back is no longer waited for."""

    def need(self, gauge: Gauge) -> int:
        return self.tokens if gauge.is_tokens else 1

    def short(self, now: float) -> list[Gauge]:
        return [gauge for gauge in self.gauges if not gauge.has(self.need(gauge), now)]


class Desk:
    """One for each account: whoever comes while others wait, waits behind them."""

    def __init__(
        self, teller: Teller, ledger: Ledger, clock: Callable[[], float], patience: float
    ) -> None:
        self.queue: deque[_Waiting] = deque()
        self._teller = teller
        self._ledger = ledger
        self._clock = clock
        self._patience = patience
        self._task: asyncio.Task[None] | None = None

    def fit(self, gauges: Gauges, tokens: int, now: float) -> bool:
        """Whether a call can pass on what this worker has."""
        for gauge in gauges:
            need = tokens if gauge.is_tokens else 1
            if gauge.left < need or now >= gauge.ends:
                return False
        return True

    def take(self, gauges: Gauges, tokens: int) -> None:
        for gauge in gauges:
            if gauge.take(tokens if gauge.is_tokens else 1):
                self._teller.tell(gauge, soon=True)

    async def wait(self, gauges: Gauges, tokens: int) -> None:
        """Wait for what a call needs, and take it.

        Raises:
            LimitExceeded, DatabaseUnavailable
            Unauthenticated: the account was erased.
        """
        waiting = _Waiting(gauges, tokens, asyncio.get_running_loop().create_future())
        self.queue.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve())
        try:
            await waiting.admitted
        except asyncio.CancelledError:
            if waiting.admitted.done() and not waiting.admitted.cancelled():
                self._put_back(waiting)
            raise

    async def _serve(self) -> None:
        touched: set[Gauge] = set()
        while self.queue:
            self._admit()
            if not self.queue:
                break
            wants = self._wants()
            touched |= wants.keys()
            try:
                over = await self._teller.ask(wants)
            except DatabaseError as error:
                self._refuse_all(error)
                break
            if over is None:
                self._refuse_all(Unauthenticated())
                break
            self._admit()
            if self.queue:
                await self._decide(self.queue[0], over)
        for gauge in touched:
            self.tidy(gauge)

    def tidy(self, gauge: Gauge) -> None:
        """Give back what nobody waits for, where others were short a moment ago."""
        if gauge.left > 0 and (gauge.firm or self._clock() < gauge.narrow):
            if self.queue:
                gauge.event.set()
            else:
                gauge.owed = True
                self._teller.tell(gauge)

    def _wants(self) -> dict[Gauge, Want]:
        """Sum up what is short, for all calls that wait."""
        now = self._clock()
        first = self.queue[0]
        wants = {gauge: Want(0, first.need(gauge)) for gauge in first.short(now)}
        for waiting in self.queue:
            for gauge in waiting.gauges:
                if gauge in wants:
                    total, least = wants[gauge]
                    wants[gauge] = Want(total + waiting.need(gauge), least)
        return wants

    def _admit(self) -> None:
        """Let pass those who can, in their order, and refuse what is refused for sure."""
        now = self._clock()
        while self.queue:
            first = self.queue[0]
            if first.admitted.done():  # who waited left
                self.queue.popleft()
            elif self.fit(first.gauges, first.tokens, now):
                self.take(first.gauges, first.tokens)
                first.admitted.set_result(None)
                self.queue.popleft()
            elif over := [g for g in first.gauges if g.refuses(first.need(g), now)]:
                self._refuse(first, over, now)
            else:
                return

    async def _decide(self, first: _Waiting, over: set[Gauge]) -> None:
        """Refuse the first call, or wait for what may come back for it."""
        now = self._clock()
        short = first.short(now)
        refusing = [gauge for gauge in short if gauge in over]
        if unsure := [g for g in refusing if g.is_streams and not g.fresh(now)]:
            await self._bury(unsure, now)
            return
        if refusing:
            self._refuse(first, refusing, now)
            return
        awaited = [gauge for gauge in short if now < gauge.ends and gauge.elsewhere]
        if not awaited:
            return  # the window has just ended, or it was given and is gone: ask again
        if first.until is None:
            first.until = now + self._patience
        elif now >= first.until:
            self._refuse(first, awaited, now)
            return
        if not await _any_event([gauge.event for gauge in awaited], first.until - now):
            await self._bury(awaited, now)
            first.until = now  # one look more, and no other wait

    async def _bury(self, gauges: Sequence[Gauge], now: float) -> None:
        try:
            await self._ledger.bury([gauge.key for gauge in gauges])
        except DatabaseError as error:
            self._refuse_all(error)
        for gauge in gauges:
            gauge.buried, gauge.spent = now, None

    def _refuse(self, first: _Waiting, gauges: Sequence[Gauge], now: float) -> None:
        longest = max(gauges, key=lambda gauge: gauge.ends)
        self.queue.popleft()
        if not first.admitted.done():
            first.admitted.set_exception(exceeded(longest, first.need(longest), now))

    def _refuse_all(self, error: DatabaseError | Unauthenticated) -> None:
        while self.queue:
            waiting = self.queue.popleft()
            if not waiting.admitted.done():
                waiting.admitted.set_exception(type(error)())

    def _put_back(self, waiting: _Waiting) -> None:
        """Undo what was taken for a caller who left at that very moment."""
        for gauge in waiting.gauges:
            gauge.left += waiting.need(gauge)
            if gauge.is_streams:
                gauge.in_use -= 1
            self.tidy(gauge)


async def _any_event(events: Sequence[asyncio.Event], seconds: float) -> bool:
    """Wait for one of the events; say whether one came in time."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(
            waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for wait in waits:
            wait.cancel()
    return bool(done)


@dataclass(slots=True, eq=False)
class Plan:
    """The limits that hold for an account, in its role, when it calls a model."""

    desk: Desk
    gauges: Gauges
    used_at: float = 0.0
    whole: Gauges = field(init=False)
    """Those of a call that is not streamed."""
    settled: bool = field(init=False)
    """Whether something is given back when a call ends."""
    _requests: Gauges = field(init=False)
    _tokens: Gauges = field(init=False)

    def __post_init__(self) -> None:
        self.whole = tuple(g for g in self.gauges if not g.is_streams)
        self._tokens = tuple(g for g in self.gauges if g.is_tokens)
        self._requests = tuple(g for g in self.whole if not g.is_tokens)
        self.settled = len(self._requests) < len(self.gauges)

    def headers(self, now: float) -> tuple[Header, ...]:
        return told(self._requests, self._tokens, now)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an admitted call took, to be settled when it ends."""

    desk: Desk
    gauges: Gauges
    tokens: int
    starts: tuple[int, ...]
    """The window of each of them."""
