"""What every search engine must do: the embedded one, and the one in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from albert.domain.documents import Audience, Chunk, ChunkId, Section, Sheet, SheetId, SourceName
from albert.index.build import build
from albert.index.builds import current, path_of
from albert.index.contract import EVERYTHING, Filter, Level, Match, SearchEngine, Vector
from albert.index.engines.embedded import EmbeddedEngine
from albert.index.vectors import Matrix
from albert.testing.search import MemoryEngine

DIMENSION = 4
Opener = Callable[[], SearchEngine]


def chunk(
    sheet: str, title: str, text: str, *audiences: Audience, source: str = "service-public"
) -> Chunk:
    return Chunk(
        sheet=SheetId(sheet),
        source=SourceName(source),
        title=title,
        url=f"https://example.test/{sheet}",
        text=text,
        headings=("Montant",) if "€" in text else (),
        audiences=audiences,
    )


RSA = chunk("F1", "Revenu de solidarité active", "Le RSA est versé chaque mois.", "particuliers")
RSA_AMOUNT = chunk("F1", "Revenu de solidarité active", "Il est de 1 500 €.", "particuliers")
LEAVE = chunk("article1", "Les congés payés", "Le salarié a cinq semaines de congés.", source="te")
VAT = chunk("F3", "Déclarer la TVA", "La TVA se déclare chaque mois.", "professionnels")
STATUTES = chunk(
    "F4", "Statuts", "L'association dépose ses statuts.", "associations", "professionnels"
)
CORPUS = (RSA, RSA_AMOUNT, LEAVE, VAT, STATUTES)

PASSAGES = {RSA.id: 0, LEAVE.id: 1, VAT.id: 2, STATUTES.id: 2}
"""Which unit vector each passage has; the amount has none yet."""
SHEETS = {"service-public/F1": 0, "service-public/F3": 1}


def axis(n: int) -> Vector:
    vector = np.zeros(DIMENSION, np.float32)
    vector[n] = 1
    return vector


def sheets_of(chunks: Sequence[Chunk]) -> list[Sheet]:
    found = {(c.source, c.sheet): c for c in chunks}
    return [
        Sheet(id=c.sheet, source=c.source, title=c.title, url="", sections=(Section(text=c.text),))
        for c in found.values()
    ]


def memory(folder: Path) -> SearchEngine:
    return MemoryEngine(
        CORPUS,
        passages={name: axis(n) for name, n in PASSAGES.items()},
        sheets={name: axis(n) for name, n in SHEETS.items()},
    )


def embedded(folder: Path) -> SearchEngine:
    build(CORPUS, sheets_of(CORPUS), folder, model="m", dimension=DIMENSION)
    path = path_of(folder, current(folder) or "")
    placed: dict[Level, dict[int, int]] = {
        "passages": {0: 0, 2: 1, 3: 2, 4: 2},
        "sheets": {0: 0, 2: 1},
    }
    for level, rows in placed.items():
        matrix = Matrix(path, level, DIMENSION, writable=True)
        matrix.put(np.array(list(rows)), np.stack([axis(n) for n in rows.values()]))
    return EmbeddedEngine(folder, model="m", dimension=DIMENSION)


@pytest.fixture(scope="module", params=[memory, embedded])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SearchEngine:
    opened: SearchEngine = request.param(tmp_path_factory.mktemp("index"))
    return opened


def words(
    engine: SearchEngine, query: str, where: Filter = EVERYTHING, limit: int = 10
) -> list[str]:
    return named(asyncio.run(engine.lexical(query, limit=limit, where=where)))


def named(matches: list[Match]) -> list[str]:
    names = {c.id: f"{c.sheet}:{c.text[:6]}" for c in CORPUS}
    return [names[match.chunk] for match in matches]


class TestByWords:
    def test_accents_case_and_number_do_not_matter(self, engine: SearchEngine) -> None:
        assert words(engine, "CONGE PAYE") == ["article1:Le sal"]

    def test_elided_words_are_found_with_both_apostrophes(self, engine: SearchEngine) -> None:
        assert words(engine, "d'association") == words(engine, "d’association") == ["F4:L'asso"]

    def test_a_title_is_found_as_well_as_a_text(self, engine: SearchEngine) -> None:
        assert set(words(engine, "solidarité")) == {"F1:Le RSA", "F1:Il est"}

    def test_a_number_is_found_however_its_thousands_are_parted(self, engine: SearchEngine) -> None:
        assert words(engine, "1500 euros") == words(engine, "1 500") == ["F1:Il est"]

    def test_the_chunk_that_shares_the_rarer_word_comes_first(self, engine: SearchEngine) -> None:
        assert words(engine, "mois RSA")[0] == "F1:Le RSA"

    @pytest.mark.parametrize("query", ["", "   ", "le de la", "xylophone", "?!…", "\x00\ud800"])
    def test_without_a_known_word_there_is_no_match(self, engine: SearchEngine, query: str) -> None:
        assert words(engine, query) == []

    @pytest.mark.parametrize("query", ['RSA "', "RSA AND (", "titre:RSA", "RSA -- +", "[RSA TO *]"])
    def test_a_question_has_no_syntax(self, engine: SearchEngine, query: str) -> None:
        assert words(engine, query)[0] == "F1:Le RSA"

    def test_a_very_long_question_is_answered(self, engine: SearchEngine) -> None:
        assert words(engine, "RSA " + "mot " * 25_000)[0] == "F1:Le RSA"

    def test_no_more_than_the_limit_is_returned(self, engine: SearchEngine) -> None:
        assert len(words(engine, "mois", limit=1)) == 1
        assert words(engine, "mois", limit=0) == []

    def test_a_sheet_is_one_match_by_its_first_chunk(self, engine: SearchEngine) -> None:
        found = asyncio.run(engine.lexical("solidarité 1500", level="sheets", limit=10))
        assert [(m.sheet, m.chunk) for m in found] == [("service-public/F1", RSA.id)]


class TestByMeaning:
    def test_the_nearest_passage_comes_first(self, engine: SearchEngine) -> None:
        found = asyncio.run(engine.nearest(axis(1), level="passages", limit=1))
        assert named(found) == ["article1:Le sal"]
        assert found[0].score == pytest.approx(1)

    def test_equal_scores_are_ordered_by_chunk_id(self, engine: SearchEngine) -> None:
        found = asyncio.run(engine.nearest(axis(2), level="passages", limit=2))
        assert [m.chunk for m in found] == sorted([VAT.id, STATUTES.id])

    def test_what_has_no_vector_yet_is_no_match(self, engine: SearchEngine) -> None:
        found = asyncio.run(engine.nearest(axis(0), level="passages", limit=10))
        assert RSA_AMOUNT.id not in {match.chunk for match in found}

    def test_a_sheet_is_one_match_by_its_first_chunk(self, engine: SearchEngine) -> None:
        found = asyncio.run(engine.nearest(axis(0), level="sheets", limit=10))
        assert [(m.sheet, m.chunk) for m in found] == [
            ("service-public/F1", RSA.id),
            ("service-public/F3", VAT.id),
        ]


FILTERS = [
    Filter(sources=frozenset({SourceName("te")})),
    Filter(audiences=frozenset({"particuliers"})),
    Filter(audiences=frozenset({"associations", "particuliers"})),
    Filter(sheets=frozenset({SheetId("F1"), SheetId("F9")})),
    Filter(without_sheets=frozenset({SheetId("F1"), SheetId("F3")})),
    Filter(sheets=frozenset({SheetId("F1")}), without_sheets=frozenset({SheetId("F1")})),
    Filter(sources=frozenset({SourceName("nowhere")})),
]


@pytest.mark.parametrize("where", FILTERS)
class TestFilters:
    def test_words_find_what_the_filter_admits(self, engine: SearchEngine, where: Filter) -> None:
        every = words(engine, "mois congés statuts solidarité")
        admitted = {f"{c.sheet}:{c.text[:6]}" for c in CORPUS if where.admits(c)}
        assert len(every) == len(CORPUS)
        found = words(engine, "mois congés statuts solidarité", where)
        assert found == [name for name in every if name in admitted]

    def test_sheets_are_those_that_have_an_admitted_chunk(
        self, engine: SearchEngine, where: Filter
    ) -> None:
        query = "mois congés statuts solidarité"
        found = asyncio.run(engine.lexical(query, level="sheets", limit=10, where=where))
        admitted = {f"{c.source}/{c.sheet}" for c in CORPUS if where.admits(c)}
        assert {m.sheet for m in found} == admitted

    def test_vectors_find_what_the_filter_admits(self, engine: SearchEngine, where: Filter) -> None:
        found = asyncio.run(engine.nearest(axis(2), level="passages", limit=10, where=where))
        admitted = {c.id for c in CORPUS if where.admits(c)}
        assert {m.chunk for m in found} == admitted & set(PASSAGES)


class TestFetching:
    def test_chunks_come_back_whole_and_in_order(self, engine: SearchEngine) -> None:
        assert asyncio.run(engine.fetch([VAT.id, RSA.id])) == [VAT, RSA]

    def test_unknown_ids_are_left_out(self, engine: SearchEngine) -> None:
        assert asyncio.run(engine.fetch([ChunkId("0" * 24), ChunkId("é"), RSA.id])) == [RSA]

    def test_coverage_counts_what_is_embedded(self, engine: SearchEngine) -> None:
        found = engine.coverage()
        assert (found.chunks, found.passages_embedded) == (5, 4)
        assert (found.sheets, found.sheets_embedded) == (4, 2)
