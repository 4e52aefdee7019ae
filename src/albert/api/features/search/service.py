"""From what a client asks of an index to what the retriever is asked."""

from __future__ import annotations

from collections.abc import Iterable

from albert.api.features.search.schemas import IndexName, SearchQuery, Similarity
from albert.api.v1.fields import question_text
from albert.domain.documents import PUBLISHERS, Hit, SheetId, SourceName
from albert.domain.errors import SourceUnknown
from albert.index.contract import Filter
from albert.retrieval.contract import Ranking, Retriever

_RANKINGS: dict[Similarity, Ranking] = {"bm25": "words", "e5": "meaning", "hybrid": "hybrid"}
_SHEETS = frozenset({SourceName("service-public"), SourceName("travail-emploi")})
_SOURCES: dict[IndexName, frozenset[SourceName]] = {
    "sheets": _SHEETS,
    "chunks": _SHEETS,
    # citizens' messages, never among the State's own words
    # citizens' messages, never among the State's own words
    "experiences": frozenset({SourceName("experiences")}),
}
_PASSAGES_A_SHEET = 4
"""Passages asked for each sheet wanted: several of one sheet come together."""


async def search(retriever: Retriever, asked: SearchQuery) -> list[Hit]:
    """Return the documents, best first; in ``sheets`` the best passage of each sheet.

    Raises:
        SourceUnknown, QuestionInvalid, SearchError, InferenceError
    """
    sources = _SOURCES[asked.name]
    for name in asked.sources or ():
        if name not in PUBLISHERS:
            known = ", ".join(PUBLISHERS)
            raise SourceUnknown(f"La source {name!r} n'existe pas. Sources connues : {known}.")
    if asked.sources:
        sources &= frozenset(map(SourceName, asked.sources))
    if not sources:
        return []
    whole_sheets = asked.name == "sheets"
    hits = await retriever.retrieve(
        question_text(asked.query),
        limit=asked.limit * _PASSAGES_A_SHEET if whole_sheets else asked.limit,
        where=Filter(
            sources=sources,
            audiences=frozenset(asked.audiences or ()),
            sheets=frozenset(map(SheetId, asked.should_sids or ())),
            without_sheets=frozenset(map(SheetId, asked.must_not_sids or ())),
        ),
        by=_RANKINGS[asked.similarity],
        expand=asked.expand_acronyms,
    )
    return list(_one_a_sheet(hits))[: asked.limit] if whole_sheets else hits


def _one_a_sheet(hits: Iterable[Hit]) -> Iterable[Hit]:
    best: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        best.setdefault((hit.chunk.source, hit.chunk.sheet), hit)
    return best.values()
