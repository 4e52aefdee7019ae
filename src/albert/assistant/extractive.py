"""Answering without a language model: the sentences that answer, quoted word for word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from albert.assistant.contract import (
    EXTRACTIVE,
    LIMIT,
    Citation,
    Event,
    Finish,
    Piece,
    Question,
    Sources,
)
from albert.assistant.finding import checked, find, in_context
from albert.assistant.phrases import NOT_FOUND, QUOTED, dated, french_date, listed
from albert.assistant.scope import Scope
from albert.assistant.units import Unit, quote, units
from albert.domain.documents import Chunk, Hit
from albert.inference.contract import Embedder, Vectors
from albert.retrieval.contract import Retriever

PASSAGES = 6
"""Passages whose sentences are compared with the question."""


@dataclass(frozen=True, slots=True)
class _Scored:
    chunk: Chunk
    unit: Unit
    cosine: float
    """With the question."""
    score: float
    """The cosine, and a little for the rank of its passage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoting:
    """How much is quoted: ``units`` in all, from at most ``sheets`` sheets.

    ``rank_weight`` is what standing in the first passage adds to a cosine; chosen with
    ``albert eval answers`` (``docs/decisions/0006``).
    """

    units: int = 5
    sheets: int = 3
    rank_weight: float = 0.02


class ExtractiveAnswerer:
    """Quotes what answers, grouped by sheet, or says that nothing does and whom to ask.

    ``newest`` tells, at each answer, the newest date of the sheets of each source.
    """

    model = EXTRACTIVE

    def __init__(
        self,
        retriever: Retriever,
        embedder: Embedder,
        *,
        scope: Scope,
        newest: Callable[[], Mapping[str, str]],
        quoting: Quoting = Quoting(),
    ) -> None:
        self._retriever = retriever
        self._embedder = embedder
        self._scope = scope
        self._newest = newest
        self._quoting = quoting

    async def answer(self, question: Question) -> AsyncIterator[Event]:
        text = in_context(checked(question.text), question.history)
        wide = replace(question, limit=max(PASSAGES, question.limit or LIMIT))
        hits = await find(self._retriever, wide)
        asked = await self._embedder.embed([text], role="query")
        scored = await self._score(asked, hits)
        prompt = "\n\n".join([text, *(hit.chunk.passage for hit in hits)])
        if not scored or not self._scope.admits(asked[0], [s.cosine for s in scored]):
            yield Sources((), prompt)
            yield Piece(f"{NOT_FOUND}\n\n{dated(self._newest())}")
            yield Finish(citations=(), mode="extractive", answered=False)
            return
        citations = self._citations(scored)
        yield Sources(tuple(citation.chunk for citation in citations), prompt)
        yield Piece(QUOTED)
        for piece in _told(citations):
            yield Piece(piece)
        yield Piece(f"\n\n{listed(citations, self._newest())}")
        yield Finish(citations=tuple(citations), mode="extractive")

    async def _score(self, asked: Vectors, hits: Sequence[Hit]) -> list[_Scored]:
        found = [
            (hit.chunk, rank, unit)
            for rank, hit in enumerate(hits)
            for unit in units(hit.chunk)
            if unit.answers
        ]
        if not found:
            return []
        vectors = await self._embedder.embed([unit.text for _, _, unit in found], role="document")
        cosines: list[float] = (vectors @ asked[0]).tolist()
        weight = self._quoting.rank_weight
        return [
            _Scored(chunk, unit, cosine, cosine + weight / (1 + rank))
            for (chunk, rank, unit), cosine in zip(found, cosines, strict=True)
        ]

    def _citations(self, scored: Sequence[_Scored]) -> list[Citation]:
        """Choose the best units, then quote them passage by passage, the best sheet first."""
        best: list[_Scored] = []
        said: set[str] = set()
        for one in sorted(scored, key=lambda s: -s.score):
            sheets = {s.chunk.sheet for s in best}
            full = len(sheets) == self._quoting.sheets and one.chunk.sheet not in sheets
            if one.unit.text not in said and not full:
                best.append(one)
                said.add(one.unit.text)
            if len(best) == self._quoting.units:
                break
        order = list(dict.fromkeys(one.chunk.sheet for one in best))
        chunks = dict.fromkeys(one.chunk for one in best)
        return [
            Citation(chunk, quote(chunk, [one.unit for one in best if one.chunk == chunk]))
            for sheet in order
            for chunk in chunks
            if chunk.sheet == sheet
        ]


def _told(citations: Sequence[Citation]) -> list[str]:
    """Return the answer piece by piece: each sheet's title, then its quotes, numbered."""
    pieces: list[str] = []
    sheet = ""
    for number, citation in enumerate(citations, start=1):
        chunk = citation.chunk
        if chunk.sheet != sheet:
            sheet = chunk.sheet
            of = f" (fiche du {french_date(chunk.date)})" if chunk.date else ""
            pieces.append(f"\n\n**{chunk.title}**{of}")
        path = f"\n{' › '.join(chunk.headings)}" if chunk.headings else ""
        quoted = "\n".join(f"> {line}" for line in citation.quote.split("\n"))
        pieces.append(f"\n{path}\n{quoted} [{number}]")
    return pieces
