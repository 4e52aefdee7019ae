"""Calls admitted within limits that all the workers keep together."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable

from albert.api.call import Call, Limiter
from albert.api.database.engine import Database
from albert.api.features.limits.counters import PostgresLedger
from albert.api.features.limits.desk import Desk, Plan, Receipt
from albert.api.features.limits.gauge import Gauge
from albert.api.features.limits.headers import exceeded
from albert.api.features.limits.ledger import Ears, Key, Ledger
from albert.api.features.limits.rules import Rules, read_rules
from albert.api.features.limits.teller import Teller
from albert.domain.errors import DatabaseError, LimitExceeded

_log = logging.getLogger(__name__)

_AGAIN = 1.0
"""Seconds before rules that could not be read are read again."""
_ABSURD = 1 << 40
"""Tokens: more than any call has, whatever an engine says."""
_SWEEP = 60.0
_IDLE = 600.0
"""Seconds after which an account that asks nothing is forgotten, and its leases given back."""
PATIENCE = 0.1
"""Seconds for which a call waits for what other workers may give back."""


class LeasedLimiter(Limiter):
    """One for each worker; ``open`` it once notifications are heard, ``close`` it before.

    A worker leases units ahead, fewer as fewer remain, and counts them by itself: far
    from a limit, ``admit`` never yields; one call takes 4 to 8 µs, headers included
    (docs/decisions/0011-limits.md). Near it, the ledger is asked, and the other workers
    give back what they do not use: a call is refused when nobody has anything left.
    """

    def __init__(
        self,
        ledger: Ledger,
        read: Callable[[], Awaitable[Rules]],
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._ledger = ledger
        self._read = read
        self._clock = clock
        self._patience = patience
        self._rules = Rules()
        self._teller = Teller(ledger, clock)
        self._gauges: dict[Key, Gauge] = {}
        self._plans: dict[tuple[int, bool, str], Plan] = {}
        self._desks: dict[int, Desk] = {}
        self._receipts: dict[int, Receipt] = {}
        self._changed = asyncio.Event()
        self.version = 0
        """How often the rules were read again."""
        self._tasks: list[asyncio.Task[None]] = []
        ears = Ears(
            back=self._called_back, freed=self._freed, rules=self._changed.set, lost=self._lost
        )
        ledger.listen(ears)

    async def open(self) -> None:
        """Read the rules, and stay up to date with them.

        Raises:
            DatabaseError
        """
        self._rules = await self._read()
        self._teller.open()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._sweep())]

    async def close(self) -> None:
        """Give back what was leased; the database must still be open."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        held = {gauge.key: gauge for gauge in self._gauges.values() if gauge.left or gauge.in_use}
        now = self._clock()
        await self._teller.close()
        if held:
            asks = [gauge.returned(now) for gauge in held.values()]
            try:
                async with asyncio.timeout(_AGAIN):
                    await self._ledger.exchange(asks)
            except (DatabaseError, TimeoutError):
                _log.warning("leases not given back", extra={"action": "limits_close"})

    async def admit(self, call: Call) -> None:
        if not self._rules:
            return
        principal = call.principal
        found = (principal.user_id, principal.is_admin, call.model)
        plan = self._plans.get(found) or self._plan(*found)
        if not plan.gauges:
            return
        now = plan.used_at = self._clock()
        tokens = call.reserved or 1
        gauges = plan.gauges if call.stream else plan.whole
        desk = plan.desk
        if desk.queue or not desk.fit(gauges, tokens, now):
            self._refuse_spent(plan, call, gauges, tokens, now)
            try:
                await desk.wait(gauges, tokens)
            except LimitExceeded:
                call.headers += plan.headers(self._clock())
                raise
            now = self._clock()
        else:
            desk.take(gauges, tokens)
        if plan.settled:
            self._receipts[id(call)] = Receipt(
                desk, gauges, tokens, tuple(g.starts for g in gauges)
            )
        call.headers += plan.headers(now)

    def settle(self, call: Call) -> None:
        receipt = self._receipts.pop(id(call), None)
        if receipt is None:
            return
        used = max(0, call.prompt_tokens) + max(0, call.completion_tokens)
        unused = receipt.tokens - min(used, _ABSURD)
        for gauge, starts in zip(receipt.gauges, receipt.starts, strict=True):
            if gauge.is_streams:
                gauge.in_use -= 1
                gauge.left += 1
            elif gauge.is_tokens and gauge.starts == starts:
                gauge.left += unused
            else:
                continue
            receipt.desk.tidy(gauge)
            if gauge.left < 0:
                self._teller.tell(gauge, soon=True)

    def _refuse_spent(
        self, plan: Plan, call: Call, gauges: tuple[Gauge, ...], tokens: int, now: float
    ) -> None:
        """Refuse at once what the ledger is known to have no room for.

        Raises:
            LimitExceeded
        """
        for gauge in gauges:
            need = tokens if gauge.is_tokens else 1
            if gauge.refuses(need, now):
                call.headers += plan.headers(now)
                raise exceeded(gauge, need, now)

    def _plan(self, user_id: int, is_admin: bool, model: str) -> Plan:
        bounds = self._rules.bounds(user_id, is_admin=is_admin, model=model)
        desk = self._desks.get(user_id)
        if desk is None:
            desk = self._desks[user_id] = Desk(
                self._teller, self._ledger, self._clock, self._patience
            )
        gauges = []
        for bound in bounds:
            key = Key(user_id, bound.model, bound.kind)
            gauge = self._gauges.setdefault(key, Gauge(key, bound.most))
            gauge.bound = bound.most
            gauges.append(gauge)
        plan = self._plans[user_id, is_admin, model] = Plan(desk, tuple(gauges))
        return plan

    def _called_back(self, key: Key) -> None:
        gauge = self._gauges.setdefault(key, Gauge(key, 0))  # one that is forgotten answers too
        gauge.called_back(self._clock())
        self._teller.tell(gauge)

    def _freed(self, key: Key) -> None:
        if (gauge := self._gauges.get(key)) is not None:
            gauge.heard_freed()

    def _lost(self) -> None:
        for gauge in self._gauges.values():
            gauge.heard_freed()

    async def _follow(self) -> None:
        """Read the rules again each time that they change, or may have."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                self._rules = await self._read()
            except DatabaseError:
                await asyncio.sleep(_AGAIN)
                self._changed.set()
                continue
            self.version += 1
            self._plans.clear()
            for gauge in self._gauges.values():
                gauge.heard_freed()
                self._give_back(gauge)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            self.forget(self._clock() - _IDLE)

    def forget(self, before: float) -> None:
        """Forget accounts that have asked nothing since, and give back what they do not use."""
        for key in [key for key, plan in self._plans.items() if plan.used_at < before]:
            del self._plans[key]
        used = {id(gauge) for plan in self._plans.values() for gauge in plan.gauges}
        for gauge in [g for g in self._gauges.values() if id(g) not in used and not g.in_use]:
            if gauge.left or self._desks[gauge.key.user_id].queue:
                self._give_back(gauge)
            else:
                del self._gauges[gauge.key]
        known = {key.user_id for key in self._gauges} | {key[0] for key in self._plans}
        for user_id in [user for user in self._desks if user not in known]:
            del self._desks[user_id]

    def _give_back(self, gauge: Gauge) -> None:
        """Tell the ledger again what is held, and give back what is not used."""
        if gauge.left or gauge.in_use:
            gauge.owed = True
            self._teller.tell(gauge)


class DatabaseLimiter(LeasedLimiter):
    """A limiter on PostgreSQL: made before the database is opened, opened after it."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        read = functools.partial(read_rules, database)
        super().__init__(PostgresLedger(database), read, clock=clock, patience=patience)
