"""The proof that no word is lost: it passes on what was read, and finds what is falsified."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from publications import FOLDER

from albert.corpus.build import read_batch
from albert.corpus.proof import Proof, prove
from albert.corpus.report import BuildReport
from albert.corpus.sources.service_public import ServicePublic
from albert.corpus.store import CorpusStore, CorpusWriter

TOKENS = 64


@pytest.fixture(params=["xml", "json"])
def data(request: pytest.FixtureRequest) -> Path:
    return FOLDER / str(request.param)


@pytest.fixture
def corpus(tmp_path: Path, data: Path) -> Path:
    path = tmp_path / "corpus.sqlite"
    rows, report = read_batch(list(ServicePublic(data).files().values()), TOKENS)
    with CorpusWriter(path) as writer:
        writer.add(rows)
        writer.commit(BuildReport([report]), inputs="")
    return path


def proved(corpus: Path, data: Path) -> Proof:
    with closing(CorpusStore(corpus)) as store:
        return prove(store, {"service-public": data}, tokens=TOKENS, progress=lambda *_: None)


def passages(db: sqlite3.Connection) -> Iterator[tuple[int, dict[str, str]]]:
    for number, body in db.execute("SELECT number, body FROM chunk ORDER BY number").fetchall():
        yield number, orjson.loads(body)


def falsify(corpus: Path, old: str, new: str) -> None:
    """Change a word of one stored passage behind the store's back."""
    with closing(sqlite3.connect(corpus)) as db, db:
        [(number, found)] = [(n, each) for n, each in passages(db) if old in each["text"]]
        body = orjson.dumps({**found, "text": found["text"].replace(old, new)})
        db.execute("UPDATE chunk SET body = ? WHERE number = ?", (body, number))


def test_every_sheet_of_the_fixtures_is_proved(corpus: Path, data: Path) -> None:
    proof = proved(corpus, data)
    assert proof.lost == []
    # F1004 has three editions that differ: each is in the passages, no one is all of them.
    assert (proof.equal, proof.included) == (3, 1)


def test_a_word_taken_from_a_passage_is_named_with_its_sheet(corpus: Path, data: Path) -> None:
    falsify(corpus, "râteau", "")
    assert proved(corpus, data).lost == [("service-public/F1001", {"râteau": 1})]


def test_a_word_added_to_a_passage_is_named_with_its_sheet(corpus: Path, data: Path) -> None:
    falsify(corpus, "râteau", "râteau rouge")
    assert proved(corpus, data).lost == [("service-public/F1001", {"rouge": 1})]


def test_a_word_taken_from_an_older_edition_is_found_too(corpus: Path, data: Path) -> None:
    with closing(sqlite3.connect(corpus)) as db, db:
        for number, found in list(passages(db)):
            body = orjson.dumps({**found, "text": found["text"].replace("mars", "")})
            db.execute("UPDATE chunk SET body = ? WHERE number = ?", (body, number))
    [(sid, missing)] = proved(corpus, data).lost
    assert (sid, set(missing)) == ("service-public/F1004", {"mars"})


def test_a_record_that_the_reader_names_as_wrong_is_no_sheet_to_prove(
    corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "fiches-travail.json").write_bytes(b'[{"title": "Sans section", "pubId": "t1"}]')
    with closing(CorpusStore(corpus)) as store:
        found = prove(store, {"travail-emploi": tmp_path}, tokens=TOKENS, progress=lambda *_: None)
    assert (found.equal, found.lost) == (0, [])
