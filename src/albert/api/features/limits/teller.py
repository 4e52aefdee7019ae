"""One exchange with the ledger at a time, for all that this worker needs of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from albert.api.features.limits.gauge import Asked, Gauge, Want
from albert.api.features.limits.ledger import Answer, Ledger
from albert.domain.errors import DatabaseError, DatabaseUnavailable

_SOON = 0.05
"""Seconds that what nobody waits for may wait, for company."""
_PATIENCE = 3.0
"""Seconds for which calls wait for the database to answer."""
_NOTHING = Want(0, 0)


class _Slip:
    """What calls of one account wait for; ``over`` are the gauges that refuse for good."""

    def __init__(self, wants: Mapping[Gauge, Want]) -> None:
        self.wants = wants
        self.over: set[Gauge] = set()
        self.gone = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Teller:
    """What comes during an exchange waits for the next: the busier, the larger."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._slips: list[_Slip] = []
        self._others: set[Gauge] = set()
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._serve())

    async def close(self) -> None:
        """Stop once what is under way is done."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def ask(self, wants: Mapping[Gauge, Want]) -> set[Gauge] | None:
        """Get what calls wait for; return what is refused for good, or nothing if they are gone.

        Raises:
            DatabaseUnavailable
        """
        if self._task is None or self._task.done():
            raise DatabaseUnavailable
        slip = _Slip(wants)
        self._slips.append(slip)
        self._work.set()
        await slip.done
        return None if slip.gone else slip.over

    def tell(self, gauge: Gauge, *, soon: bool = False) -> None:
        """Exchange for a gauge for which no call waits; ``soon`` leaves it time for company."""
        self._others.add(gauge)
        if not soon:
            self._work.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SOON, self._now)

    def _now(self) -> None:
        self._timer = None
        self._work.set()

    async def _serve(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            slips, self._slips = self._slips, []
            others, self._others = self._others, set()
            wants = dict.fromkeys(others, _NOTHING)
            for slip in slips:
                wants |= slip.wants
            if not wants:  # all of it went with an earlier exchange
                continue
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._exchange(wants, slips)
            except (DatabaseError, TimeoutError):
                _fail(slips)
            except BaseException:
                _fail(slips)
                raise

    async def _exchange(self, wants: Mapping[Gauge, Want], slips: list[_Slip]) -> None:
        now, deaf = self._clock(), not self._ledger.hears
        asked = {
            gauge: Asked(gauge.ask(want, now, deaf=deaf), want, now, gauge.freed)
            for gauge, want in wants.items()
        }
        answers = await self._ledger.exchange([one.ask for one in asked.values()])
        over = {
            gauge
            for gauge, one in asked.items()
            if (answer := answers.get(gauge.key)) is not None and self._hear(gauge, one, answer)
        }
        for slip in slips:
            slip.gone = any(gauge.key not in answers for gauge in slip.wants)
            slip.over = over & slip.wants.keys()
            if not slip.done.done():
                slip.done.set_result(None)

    def _hear(self, gauge: Gauge, asked: Asked, answer: Answer) -> bool:
        over = gauge.hear(asked, answer, hears=self._ledger.hears)
        if gauge.firm and gauge.left > 0:  # a stream ended meanwhile
            gauge.owed = True
            self.tell(gauge)
        return over


def _fail(slips: list[_Slip]) -> None:
    for slip in slips:
        if not slip.done.done():
            slip.done.set_exception(DatabaseUnavailable())
