"""What of a model's text is checked, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from albert.domain.documents import Chunk

Kind = Literal["url", "mail", "number"]
Check = Literal["check_url", "check_mail", "check_number"]
CHECKS: frozenset[Check] = frozenset(get_args(Check))
CHECK_OF: dict[Kind, Check] = {"url": "check_url", "mail": "check_mail", "number": "check_number"}
MASKS: dict[Kind, str] = {
    "url": "[URL MASQUÉE]",
    "mail": "[MAIL MASQUÉ]",
    "number": "[NUMERO MASQUÉ]",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """An address that is not known, and what stands in its place: a mask, or a cited page.

    ``found`` is what a model made up: data, never to be shown as a link.
    """

    kind: Kind
    found: str
    replaced_by: str


class Known(Protocol):
    def knows(self, kind: Kind, key: str) -> bool:
        """Say whether an address is known, by its key (``urls``, ``mails``, ``phones``)."""
        ...


class Guarding(Protocol):
    """One text being guarded; however it is cut, what comes out is the same."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was replaced so far, in order."""
        ...

    def feed(self, text: str) -> str:
        """Return what can be shown: all but the word or number still being written."""
        ...

    def end(self) -> str:
        """Return the rest; nothing may be fed after."""
        ...


class Guard(Protocol):
    def open(self, cited: Sequence[Chunk], checks: frozenset[Check]) -> Guarding:
        """Begin a text that cites these passages."""
        ...
