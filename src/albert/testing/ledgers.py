"""A ledger of limits in memory, shared by as many workers as one likes, on a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from albert.api.features.limits.ledger import Answer, Ask, Ears, Key, lent, sorted_by_key
from albert.domain.errors import DatabaseUnavailable

_SPANS = {"minute": 60, "day": 86_400}


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class _Counter:
    def __init__(self) -> None:
        self.starts, self.granted = 0, 0
        self.holders: dict[int, int] = {}


class MemoryBook:
    """What all workers share: counters, and who hears."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.counters: dict[Key, _Counter] = {}
        self.ears: dict[int, Ears] = {}
        self.exchanges = 0
        self._workers = 0
        self.away = False

    def worker(self) -> MemoryLedger:
        self._workers += 1
        return MemoryLedger(self, self._workers)

    def kill(self, worker: MemoryLedger) -> None:
        """Have a worker hear nothing more, as a process killed with -9."""
        del self.ears[worker.number]


class MemoryLedger:
    """One worker's door to the book; each exchange takes one turn of the loop."""

    def __init__(self, book: MemoryBook, number: int) -> None:
        self.number = number
        self.hears = True
        self._book = book

    def listen(self, ears: Ears) -> None:
        self._book.ears[self.number] = ears

    async def exchange(self, asks: Sequence[Ask]) -> Mapping[Key, Answer]:
        await asyncio.sleep(0)
        self._book.exchanges += 1
        if self._book.away:
            raise DatabaseUnavailable
        answers = {ask.key: self._one(ask) for ask in sorted_by_key(asks)}
        await asyncio.sleep(0)
        return answers

    async def bury(self, keys: Collection[Key]) -> None:
        for key in keys:
            counter = self._book.counters[key]
            for dead in counter.holders.keys() - self._book.ears.keys():
                held = abs(counter.holders.pop(dead))
                counter.granted -= held if key.kind == "streams" else 0

    def _one(self, ask: Ask) -> Answer:
        counter = self._book.counters.setdefault(ask.key, _Counter())
        span = _SPANS.get(ask.key.kind.partition("_")[2])
        now = int(self._book.clock())
        starts = now - now % span if span else 0
        if starts > counter.starts:
            counter.starts, counter.granted, counter.holders = starts, 0, {}
        known = ask.since == counter.starts or span is None
        mine = abs(counter.holders.pop(self.number, 0))
        back = mine - ask.held if span is None else ask.back if known else 0
        counter.granted -= back
        given = lent(ask, ask.bound - counter.granted)
        counter.granted += given
        elsewhere = any(held > 0 for held in counter.holders.values())
        if held := (ask.held if known else 0) + given:
            counter.holders[self.number] = held if ask.spare + given else -held
        if given < ask.need and elsewhere:
            self._say("back", ask.key)
        if ask.frees:
            self._say("freed", ask.key)
        ends = counter.starts + span - self._book.clock() if span else float("inf")
        return Answer(given, ask.bound - counter.granted, elsewhere, counter.starts, ends)

    def _say(self, word: str, key: Key) -> None:
        loop = asyncio.get_running_loop()
        for number, ears in self._book.ears.items():
            if word == "freed":
                loop.call_soon(ears.freed, key)
            elif number != self.number:
                loop.call_soon(ears.back, key)
