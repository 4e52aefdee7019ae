"""The corpus on disk: replaced whole or not at all, told in French when it cannot be read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from albert.corpus.chunking import chunk_sheet
from albert.corpus.report import BuildReport, SourceReport
from albert.corpus.store import FORMAT, CorpusStore, CorpusWriter, row, stored_inputs
from albert.domain.documents import (
    Contact,
    Institution,
    Link,
    RelatedQuestion,
    Section,
    Sheet,
    SheetId,
    SourceName,
    Term,
    WebService,
)
from albert.domain.errors import CorpusError, CorpusMissing, DiskFull, HomeError, SheetNotFound


def sheet(sid: str = "F1", *, source: str = "service-public", text: str = "Bonjour.") -> Sheet:
    return Sheet(
        id=SheetId(sid),
        source=SourceName(source),
        title=f"Titre de {sid}",
        url=f"https://example.org/{sid}",
        date="2020-01-01",
        audiences=("particuliers", "associations"),
        breadcrumb=("Accueil", "Ici"),
        introduction="D'abord.",
        sections=(Section(headings=("A", "B"), opens=2, text=text, anchor="b"),),
        web_services=(WebService(title="Service", url="u"),),
        related_questions=(RelatedQuestion(question="Et ?", sid=SheetId("F2")),),
        contacts=(Contact(title="Mairie"),),
        links=(Link(relation="law", target="u"),),
        terms=(Term(term="BSM", meaning="Bac", kind="acronym"),),
    )


def report_of(*sheets: Sheet) -> BuildReport:
    source = SourceReport("service-public", origin="local")
    for each in sheets:
        source.count(each, 2)
    return BuildReport([source])


def write(path: Path, *sheets: Sheet, inputs: str = "a") -> None:
    with CorpusWriter(path) as writer:
        writer.add(row(each, chunk_sheet(each)) for each in sheets)
        writer.add_institutions([Institution(name="Mairie", phones=("39 39",))])
        writer.commit(report_of(*sheets), inputs=inputs)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "corpus.sqlite"


def test_what_was_written_is_read_back(path: Path) -> None:
    first, second = sheet("F1"), sheet("F2")
    write(path, second, first)
    with closing(CorpusStore(path)) as store:
        assert list(store.sheets()) == [first, second]
        assert list(store.chunks()) == [*chunk_sheet(second), *chunk_sheet(first)]
        assert list(store.chunks(first)) == chunk_sheet(first)
        assert list(store.institutions()) == [Institution(name="Mairie", phones=("39 39",))]
        assert store.report == report_of(first, second)
        assert store.inputs == stored_inputs(path) == "a"


def test_a_sheet_is_found_by_its_id_alone_or_with_its_source(path: Path) -> None:
    here, there = sheet("F1"), sheet("F1", source="travail-emploi")
    write(path, here, there)
    with closing(CorpusStore(path)) as store:
        assert store.sheet("travail-emploi/F1") == there
        assert store.sheet("service-public/F1") == here
        assert store.sheet("F1") in (here, there)


def test_an_unknown_sheet_is_named_with_what_to_do(path: Path) -> None:
    write(path, sheet())
    with closing(CorpusStore(path)) as store, pytest.raises(SheetNotFound) as told:
        store.sheet("F999")
    assert str(told.value) == (
        "Aucune fiche ne porte l'identifiant 'F999' : "
        "« albert search » trouve les fiches par leur contenu."
    )


def test_an_exception_before_the_end_leaves_the_old_corpus(path: Path) -> None:
    write(path, sheet("F1"))

    def interrupted() -> None:
        with CorpusWriter(path) as writer:
            writer.add([row(sheet("F2"), [])])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [each.name for each in path.parent.iterdir()] == ["corpus.sqlite"]
    with closing(CorpusStore(path)) as store:
        assert [each.id for each in store.sheets()] == ["F1"]


def test_a_corpus_replaces_the_one_before_it_whole(path: Path) -> None:
    write(path, sheet("F1"))
    write(path, sheet("F2"), inputs="b")
    assert [each.name for each in path.parent.iterdir()] == ["corpus.sqlite"]
    with closing(CorpusStore(path)) as store:
        assert [each.id for each in store.sheets()] == ["F2"]


def test_a_reader_keeps_the_corpus_that_it_opened(path: Path) -> None:
    write(path, sheet("F1"))
    with closing(CorpusStore(path)) as store:
        write(path, sheet("F2"))
        assert [each.id for each in store.sheets()] == ["F1"]


def test_what_a_killed_build_left_is_swept_away(path: Path) -> None:
    path.parent.mkdir()
    path.with_suffix(".new").write_bytes(b"half a corpus")
    write(path, sheet())
    assert [each.name for each in path.parent.iterdir()] == ["corpus.sqlite"]


def test_no_corpus_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(CorpusMissing, match="albert corpus build"):
        CorpusStore(path)
    assert stored_inputs(path) == ""


@pytest.mark.parametrize("value", [FORMAT - 1, FORMAT + 1, str(FORMAT), None])
def test_another_format_is_not_read(path: Path, value: object) -> None:
    write(path, sheet())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'format'", (value,))
    with pytest.raises(CorpusMissing, match=r"autre version.*albert corpus build"):
        CorpusStore(path)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00" + b"x" * 9000, b"not a base"])
def test_a_damaged_file_says_what_to_do(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"est abîmé : lancez « albert corpus build »"):
        CorpusStore(path)
    assert stored_inputs(path) == ""


def test_pages_that_are_damaged_deeper_are_told_the_same_way(path: Path) -> None:
    write(path, *(sheet(f"F{n}", text="Bonjour. " * 90) for n in range(80)))
    whole = bytearray(path.read_bytes())
    middle = slice(len(whole) // 3, len(whole) // 2)
    whole[middle] = b"\xff" * len(whole[middle])
    path.write_bytes(whole)
    with (
        closing(CorpusStore(path)) as store,
        pytest.raises(CorpusError, match=r"est abîmé : lancez « albert corpus build »"),
    ):
        list(store.chunks())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "corpus.new").mkdir()
    with pytest.raises(HomeError, match="un dossier porte le nom"):
        CorpusWriter(tmp_path / "corpus.sqlite")


def test_no_room_to_write_is_told_and_leaves_the_old_corpus(path: Path) -> None:
    write(path, sheet("F1"))
    big = sheet("F2", text="Bonjour. " * 20_000)
    with CorpusWriter(path) as writer:
        writer._db.execute("PRAGMA max_page_count = 12")  # SQLite's own answer to a full disk
        with pytest.raises(DiskFull):
            writer.add([row(big, chunk_sheet(big))])
    assert stored_inputs(path) == "a"
    assert [each.name for each in path.parent.iterdir()] == ["corpus.sqlite"]
