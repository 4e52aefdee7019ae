"""What every library promises."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from albert.corpus.report import BuildReport, SourceReport
from albert.corpus.store import CorpusWriter, row
from albert.domain.documents import Chunk, Institution, Sheet, SheetId, SourceName, WebService
from albert.domain.errors import CorpusMissing
from albert.retrieval.library import CorpusLibrary, Library
from albert.testing.library import ListLibrary
from albert.testing.search import MemoryEngine

PUBLIC, WORK = SourceName("service-public"), SourceName("travail-emploi")
EXPERIENCES = SourceName("experiences")
HOUSES = SourceName("france-services")


def sheet(
    sid: str, source: SourceName = PUBLIC, institution: str = "", services: Sequence[str] = ()
) -> Sheet:
    return Sheet(
        id=SheetId(sid),
        source=source,
        title=f"{source} {sid}",
        url=f"https://example.org/{sid}",
        institution=institution,
        web_services=tuple(WebService(title="t", institution=name) for name in services),
    )


def passage(sid: str, text: str) -> Chunk:
    return Chunk(sheet=SheetId(sid), source=PUBLIC, title="t", url="u", text=text)


ONE, TWO = passage("F1", "un"), passage("F2", "deux")
SHEETS = [
    sheet("1", EXPERIENCES, institution="CAF"),
    sheet("2", EXPERIENCES, institution="Préfecture de l'Ain"),
    sheet("1", WORK),
    sheet("F1", services=["CAF", "CAF"]),
    sheet("F1", WORK, services=["ANTS", ""]),
]
B, A, A2 = (
    Institution(name=name, source=HOUSES, id=key, town="Exemple")
    for name, key in (("B", "1"), ("A", "3"), ("A", "2"))
)


def written(path: Path, sheets: Sequence[Sheet], institutions: Sequence[Institution]) -> None:
    with CorpusWriter(path) as writer:
        writer.add(row(one, []) for one in sheets)
        writer.add_institutions(institutions)
        writer.commit(BuildReport([SourceReport("service-public")]), inputs="")


def listed(_path: Path) -> Library:
    return ListLibrary([ONE, TWO], SHEETS, names=["Mairie d'Exemple", "CAF"], houses=[B, A, A2])


def of_corpus(path: Path) -> Library:
    mayors = Institution(name="Mairie d'Exemple", source=SourceName("directory"))
    family = Institution(name="CAF", source=SourceName("directory"))
    written(path / "corpus.sqlite", SHEETS, [mayors, family, family, B, A, A2])
    return CorpusLibrary(path / "corpus.sqlite", MemoryEngine([ONE, TWO]))


@pytest.fixture(params=[listed, of_corpus])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    made: Library = request.param(tmp_path)
    return made


def titles(library: Library, *ids: str) -> list[str | None]:
    found = asyncio.run(library.sheets(ids))
    return [None if one is None else one.title for one in found]


class TestPassages:
    def test_they_come_in_the_order_asked_with_repeats_and_gaps(self, library: Library) -> None:
        asked = [TWO.id, "0" * 24, ONE.id, TWO.id]
        assert asyncio.run(library.chunks(asked)) == [TWO, None, ONE, TWO]

    def test_nothing_asked_gives_nothing(self, library: Library) -> None:
        assert asyncio.run(library.chunks([])) == []

    @pytest.mark.parametrize("wrong", ["", "é", "../x", ONE.id + "\0", ONE.id.upper() + "0"])
    def test_what_is_no_identifier_is_unknown(self, library: Library, wrong: str) -> None:
        assert asyncio.run(library.chunks([wrong])) == [None]


class TestSheets:
    def test_they_come_in_the_order_asked_with_repeats_and_gaps(self, library: Library) -> None:
        assert titles(library, "F1", "F9", "2", "F1") == [
            "service-public F1",
            None,
            "experiences 2",
            "service-public F1",
        ]

    def test_an_id_of_several_sources_is_that_of_the_best_known(self, library: Library) -> None:
        assert titles(library, "F1", "1") == ["service-public F1", "travail-emploi 1"]

    def test_with_its_source_an_id_is_that_source_s(self, library: Library) -> None:
        assert titles(library, "experiences/1", "travail-emploi/F1", "service-public/1") == [
            "experiences 1",
            "travail-emploi F1",
            None,
        ]

    @pytest.mark.parametrize("wrong", ["", "/", "../F1", "a/b/F1", "F1\0", "%", "é" * 200])
    def test_what_is_no_identifier_is_unknown(self, library: Library, wrong: str) -> None:
        assert titles(library, wrong) == [None]


class TestInstitutions:
    def test_their_names_are_sorted_once_each_without_the_houses(self, library: Library) -> None:
        assert list(asyncio.run(library.institutions())) == [
            "ANTS",
            "CAF",
            "Mairie d'Exemple",
            "Préfecture de l'Ain",
        ]

    def test_an_institution_names_the_sheets_that_concern_it(self, library: Library) -> None:
        def concerning(name: str, *sources: SourceName) -> set[str]:
            return set(asyncio.run(library.concerning(name, sources)))

        assert concerning("CAF", EXPERIENCES) == {"1"}
        assert concerning(" CAF ", PUBLIC, WORK) == {"F1"}
        assert concerning("Préfecture  de l'Ain", EXPERIENCES) == {"2"}
        assert concerning("CAF") == concerning("", PUBLIC) == concerning("Caf", PUBLIC) == set()

    def test_houses_are_ordered_by_name_then_id(self, library: Library) -> None:
        assert list(asyncio.run(library.organizations())) == [A2, A, B]

    def test_the_lists_are_the_same_objects_each_time(self, library: Library) -> None:
        async def twice() -> list[bool]:
            return [
                await library.institutions() is await library.institutions(),
                await library.organizations() is await library.organizations(),
            ]

        assert asyncio.run(twice()) == [True, True]


class TestCorpus:
    """What only a library over files can meet."""

    def test_without_a_corpus_each_lookup_says_so(self, tmp_path: Path) -> None:
        nowhere = CorpusLibrary(tmp_path / "corpus.sqlite", MemoryEngine([]))
        for looked_up in (
            nowhere.sheets(["F1"]),
            nowhere.concerning("CAF", [PUBLIC]),
            nowhere.institutions(),
            nowhere.organizations(),
        ):
            with pytest.raises(CorpusMissing):
                asyncio.run(looked_up)

    def test_without_a_directory_the_lists_are_empty(self, tmp_path: Path) -> None:
        written(tmp_path / "corpus.sqlite", [sheet("F1")], [])
        library = CorpusLibrary(tmp_path / "corpus.sqlite", MemoryEngine([]))
        assert asyncio.run(library.institutions()) == ()
        assert asyncio.run(library.organizations()) == ()

    def test_a_corpus_that_is_replaced_is_seen_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.sqlite"
        library = CorpusLibrary(path, MemoryEngine([]))
        written(path, [sheet("F1", institution="CAF")], [B])
        before = asyncio.run(library.institutions()), asyncio.run(library.organizations())
        written(path, [sheet("F2", institution="ANTS")], [A])
        after = asyncio.run(library.institutions()), asyncio.run(library.organizations())
        assert (before, after) == ((("CAF",), (B,)), (("ANTS",), (A,)))
        assert titles(library, "F1", "F2") == [None, "service-public F2"]
