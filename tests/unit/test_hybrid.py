"""Words and meaning together, on an engine in memory."""

import asyncio

from albert.domain.documents import Chunk, ChunkId, Hit, SheetId, SourceName
from albert.index.contract import Filter, Vector
from albert.retrieval.contract import Ranking
from albert.retrieval.hybrid import HybridRetriever, Tuning
from albert.testing.models import HashEmbedder
from albert.testing.search import MemoryEngine


def chunk(sheet: str, text: str) -> Chunk:
    return Chunk(
        sheet=SheetId(sheet), source=SourceName("service-public"), title="Fiche", url="u", text=text
    )


PASSPORT = [chunk("F1", f"Le passeport se demande en mairie, étape {n}.") for n in range(4)]
IDENTITY = [chunk("F2", "La carte d'identité et le passeport.")]
TAX = [chunk("F3", "La déclaration d'impôt se fait en ligne.")]
CHUNKS = [*PASSPORT, *IDENTITY, *TAX]


class NeverEmbeds(HashEmbedder):
    """Tells, by failing, that a vector was asked for."""

    async def embed(self, *_: object, **__: object) -> Vector:
        raise AssertionError("no vector is needed")


def found(retriever: HybridRetriever, question: str, limit: int = 5, **asked: object) -> list[Hit]:
    return asyncio.run(
        retriever.retrieve(question, limit=limit, **asked)  # type: ignore[arg-type]  # where, by, expand
    )


def sheets(hits: list[Hit]) -> list[str]:
    return [hit.chunk.sheet for hit in hits]


def embedded(*chunks: Chunk) -> MemoryEngine:
    """An engine that has the vectors of these passages."""

    async def vectors() -> dict[ChunkId, Vector]:
        rows = await HashEmbedder().embed([each.text for each in chunks], role="query")
        return {each.id: row for each, row in zip(chunks, rows, strict=True)}

    return MemoryEngine(CHUNKS, passages=asyncio.run(vectors()))


def test_words_rank_alone_while_no_vector_is_there() -> None:
    retriever = HybridRetriever(MemoryEngine(CHUNKS), NeverEmbeds())
    assert sheets(found(retriever, "impôt")) == ["F3"]


def test_words_alone_ask_for_no_vector() -> None:
    retriever = HybridRetriever(embedded(*TAX), NeverEmbeds())
    assert sheets(found(retriever, "impôt", by="words")) == ["F3"]


def test_meaning_finds_what_shares_no_term() -> None:
    retriever = HybridRetriever(embedded(*TAX), HashEmbedder())
    assert sheets(found(retriever, "xyz", by="words")) == []
    assert sheets(found(retriever, "xyz", by="meaning")) == ["F3"]
    assert sheets(found(retriever, "xyz")) == ["F3"]


def test_a_filter_holds_for_every_ranking() -> None:
    retriever = HybridRetriever(embedded(*CHUNKS), HashEmbedder())
    where = Filter(without_sheets=frozenset({SheetId("F1")}))
    rankings: list[Ranking] = ["hybrid", "words", "meaning"]
    for by in rankings:
        assert "F1" not in sheets(found(retriever, "passeport", where=where, by=by))
        assert "F2" in sheets(found(retriever, "passeport", where=where, by=by))


def test_one_sheet_gives_few_passages_where_others_answer_too() -> None:
    retriever = HybridRetriever(MemoryEngine(CHUNKS), HashEmbedder(), tuning=Tuning(per_sheet=2))
    assert sorted(sheets(found(retriever, "passeport", limit=3))) == ["F1", "F1", "F2"]


def test_one_sheet_gives_more_where_no_other_answers() -> None:
    retriever = HybridRetriever(MemoryEngine(PASSPORT), HashEmbedder(), tuning=Tuning(per_sheet=2))
    assert sheets(found(retriever, "passeport", limit=4)) == ["F1"] * 4


def test_each_passage_comes_once_and_no_more_than_asked() -> None:
    retriever = HybridRetriever(embedded(*CHUNKS), HashEmbedder())
    for limit in range(1, 8):
        ids = [hit.chunk.id for hit in found(retriever, "passeport mairie", limit=limit)]
        assert len(ids) == len(set(ids)) <= limit


def test_each_sheet_is_ranked_once_best_first() -> None:
    retriever = HybridRetriever(embedded(*CHUNKS), HashEmbedder())
    ranked = asyncio.run(retriever.sheets("passeport mairie", limit=9))
    names = [each.sheet for each in ranked]
    assert names[0] == "service-public/F1"
    assert len(names) == len(set(names))
    scores = [each.score for each in ranked]
    assert scores == sorted(scores, reverse=True)


def test_a_question_is_expanded_unless_told_not_to() -> None:
    retriever = HybridRetriever(
        MemoryEngine(CHUNKS), HashEmbedder(), expand=lambda question: f"{question} impôt"
    )
    assert sheets(found(retriever, "IR")) == ["F3"]
    assert found(retriever, "IR", expand=False) == []


def test_nothing_found_is_an_answer() -> None:
    assert found(HybridRetriever(MemoryEngine([]), HashEmbedder()), "passeport") == []
