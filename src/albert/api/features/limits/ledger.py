"""Where workers get their share of a limit, and give back what they do not use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Kind = Literal["requests_minute", "requests_day", "tokens_minute", "tokens_day", "streams"]
KINDS: tuple[Kind, ...] = (
    "requests_minute",
    "requests_day",
    "tokens_minute",
    "tokens_day",
    "streams",
)
SHARE = 16
"""What is lent ahead of need is at most this part of what remains: single units at the end."""


class Key(NamedTuple):
    """One limit of one account; ``model`` is empty where it is of all models together."""

    user_id: int
    model: str
    kind: Kind


class Ask(NamedTuple):
    """What a worker says of one limit: what it needs, and what it gives back."""

    key: Key
    bound: int
    need: int
    """Units that calls wait for."""
    least: int
    """Less than this is of no use."""
    ahead: int
    """Units it would like besides."""
    back: int
    """Units of the window that it gives back; negative where more was used than reserved."""
    held: int
    """Units that it keeps; of streams, those in use too."""
    spare: int
    """Those of them that are not used."""
    since: int
    """The window that it knows: seconds since 1970."""
    frees: bool
    """Whether others should hear of it: something comes back, or they asked."""


class Answer(NamedTuple):
    given: int
    room: int
    """What nobody has been given yet."""
    elsewhere: bool
    """Other workers may hold unused units."""
    starts: int
    """Of the window, in seconds since 1970, on the ledger's clock."""
    seconds: float
    """To its end."""


class Ledger(Protocol):
    """Keeps what was given of each limit: each ask is answered as if alone."""

    async def exchange(self, asks: Sequence[Ask]) -> Mapping[Key, Answer]:
        """Take back, then give; a key without an answer is one of an account that is gone.

        Where something is short and other workers may have some, they hear ``back``;
        where an ask ``frees``, all hear ``freed``.

        Raises:
            DatabaseError: nothing is known of what became of it.
        """
        ...

    async def bury(self, keys: Collection[Key]) -> None:
        """Forget what dead workers hold of these."""
        ...

    @property
    def hears(self) -> bool:
        """Whether what other workers say reaches us now."""
        ...

    def listen(self, ears: Ears) -> None:
        """Call these as things are heard; before anything is asked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    back: Callable[[Key], None]
    """Another worker is short of this: give back what is not used."""
    freed: Callable[[Key], None]
    """Somebody gave some of this back."""
    rules: Callable[[], None]
    """Limits have changed, or may have."""
    lost: Callable[[], None]
    """From now on nothing is heard, until ``rules``."""


def lent(ask: Ask, room: int) -> int:
    """Say how much an ask is given where ``room`` remains.

    What is needed, and ahead of it no more than a sixteenth of what remains; where there
    is not enough for all that wait, the rest, unless it would not do for the first of them.
    """
    if ask.need <= room:
        return max(ask.need, min(ask.need + ask.ahead, room // SHARE))
    return room if ask.need and room >= ask.least else 0


def sorted_by_key(asks: Iterable[Ask]) -> list[Ask]:
    """Return them in the order in which rows are locked: the same for everybody."""
    return sorted(asks, key=lambda ask: ask.key)
