"""What we ask of a search engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from albert.domain.documents import Audience, Chunk, ChunkId, SheetId, SourceName

Vector = NDArray[np.float32]
"""Unit norm, shape ``(dimension,)``."""

Level = Literal["passages", "sheets"]
"""What a vector stands for: one passage, or a whole sheet (title, introduction, headings)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which chunks may be returned. An empty field does not restrict."""

    sources: frozenset[SourceName] = frozenset()
    audiences: frozenset[Audience] = frozenset()
    sheets: frozenset[SheetId] = frozenset()
    without_sheets: frozenset[SheetId] = frozenset()

    def admits(self, chunk: Chunk) -> bool:
        """The reference meaning of a filter; every engine's translation must agree.

        A chunk of several audiences is admitted for any of them; one without
        audience (a source that does not say) is admitted for all.
        """
        return (
            (not self.sources or chunk.source in self.sources)
            and (
                not self.audiences
                or not chunk.audiences
                or not self.audiences.isdisjoint(chunk.audiences)
            )
            and (not self.sheets or chunk.sheet in self.sheets)
            and chunk.sheet not in self.without_sheets
        )


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk's place in a ranking, without its text: ranking is hot, fetching is not.

    ``sheet`` is unique across sources (``"service-public/F35789"``).
    """

    chunk: ChunkId
    sheet: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of the index has its vectors; words are always complete."""

    chunks: int
    sheets: int
    passages_embedded: int
    sheets_embedded: int

    @property
    def complete(self) -> bool:
        """Whether everything has its vector."""
        return (self.passages_embedded, self.sheets_embedded) == (self.chunks, self.sheets)


class SearchEngine(Protocol):
    """Ranks chunks by words and by meaning.

    Results are ordered by decreasing score, ties by chunk id, so that a search
    is a function of its arguments. ``tests/contract/test_search_engine.py`` is
    the authority on the rest.
    """

    async def lexical(
        self,
        query: str,
        *,
        limit: int,
        level: Level = "passages",
        where: Filter = EVERYTHING,
    ) -> list[Match]:
        """Rank by words (BM25, French analysis); what shares no term is not a match.

        At level ``"sheets"`` a sheet ranks by its best stretch of several passages,
        and there is one match a sheet, whose ``chunk`` is its first admitted chunk.

        Raises:
            IndexNotFound, IndexUnavailable
        """
        ...

    async def nearest(
        self, vector: Vector, *, level: Level, limit: int, where: Filter = EVERYTHING
    ) -> list[Match]:
        """Rank by dot product with ``vector`` among what has a vector so far.

        At level ``"sheets"`` there is one match a sheet, whose ``chunk`` is the
        sheet's first admitted chunk.

        Raises:
            IndexNotFound, IndexUnavailable
        """
        ...

    async def fetch(self, ids: Sequence[ChunkId]) -> list[Chunk]:
        """Return the chunks with these ids, in order; an unknown id is left out."""
        ...

    def coverage(self) -> Coverage:
        """How far the vectors are, cheap enough for a health check."""
        ...
