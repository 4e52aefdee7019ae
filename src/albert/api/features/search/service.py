"""From what a client asks of the sheets to what it receives."""

from __future__ import annotations

from collections.abc import Iterable

from albert.api.features.search.documents import FoundDocument, described
from albert.api.features.search.schemas import IndexName, SearchQuery, Similarity
from albert.api.services import Services
from albert.assistant.finding import checked
from albert.domain.documents import ANSWERING, PUBLISHERS, Hit, SheetId, SourceName
from albert.domain.errors import SourceUnknown
from albert.index.contract import Filter
from albert.retrieval.contract import Ranking
from albert.retrieval.library import Library

_RANKINGS: dict[Similarity, Ranking] = {"bm25": "words", "e5": "meaning", "hybrid": "hybrid"}
_SOURCES: dict[IndexName, frozenset[SourceName]] = {
    "sheets": ANSWERING,
    "chunks": ANSWERING,
    # citizens' messages, never among the State's own words
    "experiences": frozenset({SourceName("experiences")}),
}
_PASSAGES_A_SHEET = 4
"""Passages asked for each sheet wanted: several of one sheet come together."""


async def search(services: Services, asked: SearchQuery) -> list[FoundDocument]:
    """Return the documents, best first; in ``sheets`` the best passage of each sheet.

    Raises:
        SourceUnknown, QuestionInvalid, SearchError, InferenceError, CorpusError
    """
    question = checked(asked.query)
    where = await _filter(services.library, asked)
    hits = [] if where is None else await _hits(services, asked, question, where)
    return await described(services.library, hits)


async def _filter(library: Library, asked: SearchQuery) -> Filter | None:
    """Return what may be found, or None where nothing can be."""
    for name in asked.sources or ():
        if name not in PUBLISHERS:
            known = ", ".join(PUBLISHERS)
            raise SourceUnknown(f"La source {name!r} n'existe pas. Sources connues : {known}.")
    sources = _SOURCES[asked.name]
    if asked.sources:
        sources &= frozenset(map(SourceName, asked.sources))
    sheets = frozenset(map(SheetId, asked.should_sids or ()))
    if sources and asked.institution and asked.institution.strip():
        concerned = await library.concerning(asked.institution, sources)
        sheets = sheets & concerned if sheets else concerned
        if not sheets:
            return None
    if not sources:
        return None
    return Filter(
        sources=sources,
        audiences=frozenset(asked.audiences or ()),
        sheets=sheets,
        without_sheets=frozenset(map(SheetId, asked.must_not_sids or ())),
    )


async def _hits(services: Services, asked: SearchQuery, question: str, where: Filter) -> list[Hit]:
    whole_sheets = asked.name == "sheets"
    hits = await services.retriever.retrieve(
        question,
        limit=asked.limit * _PASSAGES_A_SHEET if whole_sheets else asked.limit,
        where=where,
        by=_RANKINGS[asked.similarity],
        expand=asked.expand_acronyms,
    )
    return list(_one_a_sheet(hits))[: asked.limit] if whole_sheets else hits


def _one_a_sheet(hits: Iterable[Hit]) -> Iterable[Hit]:
    best: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        best.setdefault((hit.chunk.source, hit.chunk.sheet), hit)
    return best.values()
