"""Words and meaning together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from albert.domain.documents import ChunkId, Hit
from albert.index.contract import EVERYTHING, Filter, Match, SearchEngine
from albert.inference.contract import Embedder
from albert.retrieval.contract import Ranking
from albert.retrieval.fusion import reciprocal_rank

_THIN = 40
"""Characters under which a text without a final point is the heading of a section that
holds contacts alone."""
_SPARE = 4
"""Passages chosen besides, to take the place of thin ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What was chosen on the development questions; see ``docs/decisions/0005``.

    ``depth`` matches are asked of each ranking; the four weights are those of the
    reciprocal ranks, ``k`` their constant; at most ``per_sheet`` passages of one
    sheet are returned. ``partial`` is what the passages' vectors weigh while some
    are missing: a ranking of a part of the passages would push the others down.
    """

    depth: int = 200
    k: int = 10
    words: float = 0.2
    sheet_words: float = 1.0
    passages: float = 1.0
    sheets: float = 1.0
    partial: float = 0.3
    per_sheet: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings:
    """What the engine said before any merging, by words and by vectors."""

    words: Sequence[Match] = ()
    sheet_words: Sequence[Match] = ()
    passages: Sequence[Match] = ()
    sheets: Sequence[Match] = ()
    complete: bool = True
    """Whether every passage has its vector."""


@dataclass(frozen=True, slots=True)
class RankedSheet:
    """A sheet (``"service-public/F35789"``) with its passages that were found, best first."""

    sheet: str
    score: float
    passages: tuple[ChunkId, ...]


class HybridRetriever:
    """Asks one engine three ways and fuses: words, passages' vectors, sheets' vectors.

    Vectors are used as far as they are computed; without any, words alone rank.
    ``expand`` adds to a question the long forms of its acronyms.
    """

    def __init__(
        self,
        engine: SearchEngine,
        embedder: Embedder,
        *,
        expand: Callable[[str], str] = lambda question: question,
        tuning: Tuning = Tuning(),
    ) -> None:
        self._engine = engine
        self._embedder = embedder
        self._expand = expand
        self._tuning = tuning

    async def retrieve(
        self,
        question: str,
        *,
        limit: int,
        where: Filter = EVERYTHING,
        by: Ranking = "hybrid",
        expand: bool = True,
    ) -> list[Hit]:
        """Return passages of the best sheets, those of one sheet limited, best first."""
        rankings = await self.rankings(question, where=where, by=by, expand=expand)
        ranked = self.fuse(rankings)
        scores = dict([*self.choose(ranked, limit), *self.choose(ranked, limit + _SPARE)])
        chunks = await self._engine.fetch(list(scores))
        # Stable: a passage that says next to nothing comes after all that say something.
        chunks.sort(key=lambda chunk: _is_bare(chunk.text))
        return [Hit(chunk, scores[chunk.id]) for chunk in chunks[:limit]]

    async def sheets(
        self, question: str, *, limit: int, where: Filter = EVERYTHING, by: Ranking = "hybrid"
    ) -> list[RankedSheet]:
        """Return the sheets that answer best, each once."""
        rankings = await self.rankings(question, where=where, by=by)
        return self.fuse(rankings)[:limit]

    async def rankings(
        self,
        question: str,
        *,
        where: Filter = EVERYTHING,
        by: Ranking = "hybrid",
        expand: bool = True,
    ) -> Rankings:
        """Return the three rankings of the question; those not asked for are empty."""
        expanded = self._expand(question) if expand else question
        engine, depth = self._engine, self._tuning.depth
        words: list[Match] = []
        sheet_words: list[Match] = []
        if by != "meaning":
            words = await engine.lexical(expanded, limit=depth, where=where)
            sheet_words = await engine.lexical(expanded, level="sheets", limit=depth, where=where)
        coverage = engine.coverage()
        if by == "words" or not (coverage.passages_embedded or coverage.sheets_embedded):
            return Rankings(words=words, sheet_words=sheet_words)
        [vector] = await self._embedder.embed([expanded], role="query")
        return Rankings(
            words=words,
            sheet_words=sheet_words,
            passages=await engine.nearest(vector, level="passages", limit=depth, where=where),
            sheets=await engine.nearest(vector, level="sheets", limit=depth, where=where),
            complete=coverage.passages_embedded == coverage.chunks,
        )

    def fuse(self, rankings: Rankings) -> list[RankedSheet]:
        """Merge the rankings by sheet: in each, a sheet stands where its best passage does."""
        tuning = self._tuning
        by_meaning = tuning.passages if rankings.complete else tuning.partial
        lists = [
            (rankings.words, tuning.words),
            (rankings.sheet_words, tuning.sheet_words),
            (rankings.passages, by_meaning),
            (rankings.sheets, tuning.sheets),
        ]
        fused = reciprocal_rank(
            [(list(dict.fromkeys(m.sheet for m in found)), weight) for found, weight in lists],
            k=tuning.k,
        )
        passages = _passages(rankings)
        return [
            RankedSheet(sheet, score, tuple(passages[sheet])) for sheet, score in fused if score
        ]

    def choose(self, ranked: Sequence[RankedSheet], limit: int) -> list[tuple[ChunkId, float]]:
        """Return at most ``limit`` passages with the score of their sheet, sheet by sheet.

        The first sheets give up to ``per_sheet`` passages, unless too few sheets
        were found to fill ``limit``.
        """
        kept: list[tuple[ChunkId, float]] = []
        for share in (self._tuning.per_sheet, limit):
            kept = [(chunk, sheet.score) for sheet in ranked for chunk in sheet.passages[:share]]
            if len(kept) >= limit:
                break
        return kept[:limit]


def _is_bare(text: str) -> bool:
    return len(text) < _THIN and not text.endswith((".", "!", "?", "…", ";"))


def _passages(rankings: Rankings) -> dict[str, list[ChunkId]]:
    """Return the passages found of each sheet, best first, words and vectors alike.

    A sheet known as a whole alone is shown by its first passage.
    """
    lists = [(rankings.words, 1.0), (rankings.passages, 1.0)]
    lists += [(rankings.sheet_words, 0.0), (rankings.sheets, 0.0)]
    owner = {m.chunk: m.sheet for found, _ in lists for m in found}
    found: dict[str, list[ChunkId]] = {}
    for chunk, _ in reciprocal_rank([([m.chunk for m in some], w) for some, w in lists]):
        found.setdefault(owner[chunk], []).append(chunk)
    return found
