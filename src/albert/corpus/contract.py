"""Where sheets come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from albert.domain.documents import Sheet, SourceName


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something of a source that yields no passage, and why."""

    name: str
    reason: str
    error: bool = False
    """Whether the publisher's file is at fault (malformed), rather than of no interest to us."""


class SheetSource(Protocol):
    """A public data set, once downloaded."""

    @property
    def name(self) -> SourceName: ...

    def read(self) -> Iterator[Sheet | Skipped]:
        """Yield each sheet once, ordered by id, so that two reads can be compared.

        A malformed file is yielded as a ``Skipped`` with ``error`` set, and does
        not stop the others.

        Raises:
            CorpusError: nothing can be read at all; the message names the file.
        """
        ...
