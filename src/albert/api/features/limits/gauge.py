"""What this worker has of one limit of one account."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from albert.api.features.limits.ledger import Answer, Ask, Key

_FEW = 32
"""Needs for which a lease should last, where nothing says how often they come."""
_FRESH_SECONDS = 1.0
"""For which it is believed that the workers that serve streams still live."""
_NARROW_SECONDS = 5.0
"""For which only what is needed is asked, after somebody was short."""


class Want(NamedTuple):
    """What calls wait for, in all, and the first of them."""

    total: int
    first: int


class Asked(NamedTuple):
    """What was asked, when, and how often something had been freed by then."""

    ask: Ask
    want: Want
    at: float
    freed: int


@dataclass(slots=True, eq=False)
class Gauge:
    """Units leased in one window, and what is known of those that remain.

    Times are on the worker's own steady clock. A window is taken to end at the earliest
    moment at which it may: later, its units would be used in the next one.
    """

    key: Key
    bound: int
    left: int = 0
    """Negative where answers were longer than what had been reserved."""
    low: int = 0
    """Below it, more is asked for, before it is needed."""
    room: int = 0
    """What nobody had been given, at the last answer."""
    elsewhere: bool = False
    """Whether it was not enough, and other workers may hold some that they do not use."""
    starts: int = -1
    ends: float = float("-inf")
    in_use: int = 0
    """Streams being served."""
    used: int = 0
    """Units used since the last answer."""
    asked: float = float("-inf")
    """The clock at that answer: it tells how fast units go."""
    ahead: int = 0
    unit: int = 1
    """What a call needed last."""
    narrow: float = float("-inf")
    """Until then, nothing is asked ahead, and what no call waits for goes back."""
    owed: bool = False
    """Whether what is not used goes back with the next ask."""
    spent: int | None = None
    """What remained when a call was refused for good: larger ones are refused at once."""
    firm: bool = False
    """Whether the ledger believes that all is used here: what ends goes back at once."""
    buried: float = float("-inf")
    """When streams of dead workers were last looked for."""
    freed: int = 0
    """Times that somebody gave some back."""
    event: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when that happens."""
    is_streams: bool = field(init=False)
    is_tokens: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_streams = self.key.kind == "streams"
        self.is_tokens = self.key.kind.startswith("tokens")

    def has(self, need: int, now: float) -> bool:
        return self.left >= need and now < self.ends

    def take(self, need: int) -> bool:
        """Use units that are there; say whether it is time to ask for more."""
        self.left -= need
        self.used += need
        self.unit = need
        if self.is_streams:
            self.in_use += need
        return self.left < self.low

    def refuses(self, need: int, now: float) -> bool:
        """Whether the ledger itself has no room for it, as far as is known for sure."""
        if need > self.bound:
            return True
        sure = (
            self.spent is not None and now < self.ends and (not self.is_streams or self.fresh(now))
        )
        return sure and need > max(0, self.left) + (self.spent or 0)

    def fresh(self, now: float) -> bool:
        """Whether workers that died since the last look can be left alone for a moment."""
        return now < self.buried + _FRESH_SECONDS

    def remaining(self, now: float) -> int:
        """Return what could still be used, roughly: others may have used some since."""
        return max(0, self.left + self.room) if now < self.ends else self.bound

    def ask(self, want: Want, now: float, *, deaf: bool) -> Ask:
        """Say what is wanted, and give back what must be; changes what is left accordingly."""
        back = self.left if self.owed or self.left < 0 else 0
        frees = self.owed or back > 0
        self.event.clear()
        self.firm = False
        self.left -= back
        self.owed = False
        kept = self.left if now < self.ends else 0
        need = max(0, want.total - kept)
        if now - self.asked < 2 * _NARROW_SECONDS and self.used:
            self.ahead = max(self.ahead // 2, int(self.used / max(now - self.asked, 0.05)))
        return Ask(
            key=self.key,
            bound=self.bound,
            need=need,
            least=min(need, max(1, want.first - kept)),
            ahead=0 if deaf or now < self.narrow else max(self.ahead, _FEW * self.unit),
            back=back,
            held=self.left + self.in_use,
            spare=self.left,
            since=self.starts,
            frees=frees,
        )

    def hear(self, asked: Asked, answer: Answer, *, hears: bool) -> bool:
        """Take what was given; say whether the first that waited is refused for good."""
        sent, first = asked.at, asked.want.first
        if answer.starts != self.starts:
            self.left, self.starts = 0, answer.starts
        self.left += answer.given
        self.firm = self.is_streams and not asked.ask.spare and not answer.given
        self.room = answer.room
        self.elsewhere = answer.elsewhere and answer.given < asked.ask.need
        self.ends = sent + answer.seconds
        self.low = self.left // 2
        self.used, self.asked = 0, sent
        short = self.left < first
        if short:
            self.narrow = sent + _NARROW_SECONDS
        over = short and not answer.given and not answer.elsewhere
        self.spent = max(0, answer.room) if over and asked.freed == self.freed and hears else None
        return over

    def returned(self, now: float) -> Ask:
        """Give back everything: nobody will be served here any more."""
        self.owed, self.in_use = True, 0
        return self.ask(Want(0, 0), now, deaf=True)

    def heard_freed(self) -> None:
        self.freed += 1
        self.spent = None
        self.event.set()

    def called_back(self, now: float) -> None:
        """Another worker is short: what is not used goes back with the next ask."""
        self.owed = True
        self.narrow = now + _NARROW_SECONDS
