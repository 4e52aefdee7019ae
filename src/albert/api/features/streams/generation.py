"""An answer being written: its text so far, and those who read it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Ending = Literal["done", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of an answer; ``end`` is where it ends, in characters of the answer."""

    text: str
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an answer ended: the extra fields of its finish chunk, and its error where it failed."""

    state: Ending
    finish: dict[str, Any] = field(default_factory=dict)
    length: int = 0
    """Characters of the whole answer."""


class Silence:
    """Nothing was said for a while; the reader is still waited upon."""


Event = Said | Ended | Silence


class Text:
    """Pieces in order, found by their place in the whole."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._ends: list[int] = []

    @property
    def length(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def count(self) -> int:
        return len(self._pieces)

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._ends.append(self.length + len(piece))

    def between(self, first: int, last: int) -> tuple[int, str]:
        """Return where piece number ``first`` begins, and the pieces up to ``last``, joined."""
        begin = self._ends[first - 1] if first else 0
        return begin, "".join(self._pieces[first:last])

    def after(self, position: int, last: int) -> list[Said]:
        """Return what stands after ``position``, of the pieces before number ``last``."""
        index = bisect_right(self._ends, position)
        found = [
            Said(piece, end)
            for piece, end in zip(self._pieces[index:last], self._ends[index:last], strict=True)
        ]
        if found and (cut := len(found[0].text) - (found[0].end - position)) > 0:
            found[0] = Said(found[0].text[cut:], found[0].end)
        return found

    def __str__(self) -> str:
        return "".join(self._pieces)


class Generation:
    """One answer on the worker that writes it.

    Readers hear what is kept already: a text that somebody has read is never lost.
    When the last one leaves, ``abandon`` is called after ``patience`` seconds,
    unless one has come back. Readers elsewhere are told of by ``join`` and ``leave``.
    """

    def __init__(self, stream_id: int, *, patience: float, abandon: Callable[[], None]) -> None:
        self.stream_id = stream_id
        self.text = Text()
        self.ended: Ended | None = None
        self.kept = 0
        """Pieces that the database has."""
        self._patience = patience
        self._abandon = abandon
        self._readers: set[object] = set()
        self._leases: dict[object, asyncio.TimerHandle] = {}
        self._alone: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._wait_for_readers()

    @property
    def read_elsewhere(self) -> bool:
        return bool(self._leases)

    def keep(self, count: int) -> None:
        """Let readers hear the first ``count`` pieces."""
        self.kept = count
        self._wake()

    async def room(self, far: int) -> None:
        """Wait while more than ``far`` characters are not kept yet: a model may outrun us."""
        while self.ended is None and self.text.length - self.text.between(self.kept, 0)[0] > far:
            await self._news.wait()

    def abandon(self) -> None:
        """Give the answer up: it ends as interrupted."""
        self._abandon()

    def end(self, ended: Ended) -> None:
        self.ended = ended
        if self._alone is not None:
            self._alone.cancel()
        for lease in self._leases.values():
            lease.cancel()
        self._wake()

    async def read(self, position: int, *, beat: float) -> AsyncGenerator[Sequence[Event], None]:
        """Yield what stands after ``position``, as it comes, then how it ended.

        ``Silence`` comes each ``beat`` seconds in which nothing is said.
        """
        reader = object()
        self.join(reader)
        try:
            while True:
                news = self._news
                ended = self.ended  # what was not kept by then never will be
                if said := self.text.after(position, self.kept):
                    position = said[-1].end
                    yield said
                if ended is not None:
                    yield [ended]
                    return
                if news is self._news and not await _heard(news, beat):
                    yield [Silence()]
        finally:
            self.leave(reader)

    def join(self, reader: object, *, lease: float | None = None) -> None:
        """Count a reader in; one that is elsewhere, for ``lease`` seconds, renewed by joining."""
        self._readers.add(reader)
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        if lease is not None:
            if reader in self._leases:
                self._leases[reader].cancel()
            loop = asyncio.get_running_loop()
            self._leases[reader] = loop.call_later(lease, self.leave, reader)

    def leave(self, reader: object) -> None:
        self._readers.discard(reader)
        lease = self._leases.pop(reader, None)
        if lease is not None:
            lease.cancel()
        self._wait_for_readers()

    def _wait_for_readers(self) -> None:
        if not self._readers and self.ended is None and self._alone is None:
            loop = asyncio.get_running_loop()
            self._alone = loop.call_later(self._patience, self._abandon)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


async def _heard(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True
