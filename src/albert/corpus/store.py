"""The corpus on disk: one SQLite file of sheets, passages and institutions, replaced whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from albert.corpus.records import chunk_from_json, institution_from_json, sheet_from_json
from albert.corpus.report import BuildReport, report_from_json
from albert.domain.documents import PUBLISHERS, Chunk, Institution, Sheet, SheetId
from albert.domain.errors import (
    CorpusError,
    CorpusMissing,
    DiskFull,
    HomeError,
    SheetNotFound,
)
from albert.domain.mishaps import mishap

FORMAT = 2
"""Written in the file; another format is not read but rebuilt."""

_SCHEMA = """
CREATE TABLE sheet (source TEXT, sid TEXT, body BLOB, PRIMARY KEY (source, sid)) WITHOUT ROWID;
CREATE TABLE chunk (number INTEGER PRIMARY KEY, id TEXT, source TEXT, sid TEXT, body BLOB);
CREATE TABLE concern (name TEXT, source TEXT, sid TEXT);
CREATE TABLE institution (number INTEGER PRIMARY KEY, source TEXT, name TEXT, body BLOB);
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB);
"""
_INDEXES = """
CREATE INDEX chunk_by_sheet ON chunk (source, sid);
CREATE INDEX sheet_by_sid ON sheet (sid);
CREATE INDEX concern_by_name ON concern (name, source, sid);
CREATE INDEX institution_by_source ON institution (source, name);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A sheet and its passages, encoded where they were read: cheap to carry between processes."""

    source: str
    sid: str
    body: bytes
    chunks: Sequence[tuple[str, bytes]] = ()
    institutions: Sequence[str] = ()


def row(sheet: Sheet, chunks: Iterable[Chunk]) -> Row:
    """Encode a sheet with its passages."""
    encoded = [(chunk.id, orjson.dumps(chunk)) for chunk in chunks]
    return Row(sheet.source, sheet.id, orjson.dumps(sheet), encoded, sheet.institutions)


class CorpusWriter:
    """Writes a corpus beside the one that is served, and puts it in its place on ``commit``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path.with_suffix(".new")
        try:
            self._aside.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._aside, isolation_level=None)
            # The file is worth nothing until it is whole: no journal, one fsync at the end.
            self._db.execute("PRAGMA journal_mode=OFF")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(_SCHEMA)
            self._db.execute("BEGIN")
        except (sqlite3.OperationalError, OSError) as error:
            with suppress(OSError):
                self._aside.unlink(missing_ok=True)
            raise _mishap(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
        self._aside.unlink(missing_ok=True)

    def add(self, rows: Iterable[Row]) -> None:
        """Append sheets with their passages, in the order given."""
        try:
            for one in rows:
                self._db.execute(
                    "INSERT INTO sheet VALUES (?, ?, ?)", (one.source, one.sid, one.body)
                )
                self._db.executemany(
                    "INSERT INTO chunk VALUES (NULL, ?, ?, ?, ?)",
                    ((cid, one.source, one.sid, body) for cid, body in one.chunks),
                )
                self._db.executemany(
                    "INSERT INTO concern VALUES (?, ?, ?)",
                    ((name, one.source, one.sid) for name in one.institutions),
                )
        except sqlite3.OperationalError as error:
            raise _mishap(error) from error

    def add_institutions(self, institutions: Iterable[Institution]) -> None:
        encoded = ((one.source, one.name, orjson.dumps(one)) for one in institutions)
        try:
            self._db.executemany("INSERT INTO institution VALUES (NULL, ?, ?, ?)", encoded)
        except sqlite3.OperationalError as error:
            raise _mishap(error) from error

    def commit(self, report: BuildReport, *, inputs: str) -> None:
        """Finish the file and swap it in; ``inputs`` says what it was made from."""
        meta = {"format": FORMAT, "inputs": inputs, "report": orjson.dumps(report)}
        try:
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            self._db.execute("COMMIT")
            self._db.executescript(_INDEXES)
            self._db.close()
            _sync(self._aside)
            self._aside.replace(self._path)
            _sync(self._path.parent)
        except (sqlite3.OperationalError, OSError) as error:
            raise _mishap(error) from error


class CorpusStore:
    """The corpus that was built last, read only; cheap to open, safe among processes.

    Raises:
        CorpusMissing: none was built, or by another version.
        CorpusError: the file is damaged; also while it is read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise CorpusMissing
        self._path = path
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
        if self._meta("format") != FORMAT:
            raise CorpusMissing(
                "Le corpus vient d'une autre version : lancez « albert corpus build »."
            )

    def _rows(self, query: str, *parameters: str) -> Iterator[Any]:
        """Yield what is found; damage may show at any row."""
        try:
            yield from self._db.execute(query, parameters)
        except sqlite3.DatabaseError as error:
            raise CorpusError(
                f"Le corpus {str(self._path)!r} est abîmé : lancez « albert corpus build »."
            ) from error

    def _values(self, query: str, *parameters: str) -> Iterator[Any]:
        """Yield the first column of what is found."""
        return (row[0] for row in self._rows(query, *parameters))

    def _meta(self, name: str) -> int | str | bytes | None:
        return next(self._values("SELECT value FROM meta WHERE name = ?", name), None)

    @property
    def inputs(self) -> str:
        """What the corpus was made from: equal inputs give an equal corpus."""
        return str(self._meta("inputs"))

    @property
    def report(self) -> BuildReport:
        report = self._meta("report")
        assert isinstance(report, bytes)  # noqa: S101 - commit() writes it so
        return report_from_json(report)

    def sheet(self, sid: str) -> Sheet:
        """Return a sheet by its id, ``"F35789"``, or ``"service-public/F35789"``.

        Raises:
            SheetNotFound
        """
        [found] = self.some_sheets([sid])
        if found is None:
            raise SheetNotFound(
                f"Aucune fiche ne porte l'identifiant {sid!r} : "
                "« albert search » trouve les fiches par leur contenu."
            )
        return found

    def some_sheets(self, sids: Sequence[str]) -> list[Sheet | None]:
        """Return the sheets of these ids, in order, None in the place of one that is unknown.

        An id is of the form that ``sheet`` takes; without its source, one that
        several sources use is that of the first of them in ``PUBLISHERS``.
        """
        wanted = {sid.rpartition("/")[2] for sid in sids}
        query = "SELECT source, sid, body FROM sheet WHERE sid IN (SELECT value FROM json_each(?))"
        found: dict[str, Sheet] = {}
        for source, name, body in sorted(self._rows(query, _json(wanted)), key=_rank):
            found[f"{source}/{name}"] = sheet = sheet_from_json(body)
            found.setdefault(name, sheet)
        return [found.get(sid.removeprefix("/")) for sid in sids]

    def sheets(self) -> Iterator[Sheet]:
        """Yield every sheet, by source and id."""
        for body in self._values("SELECT body FROM sheet ORDER BY source, sid"):
            yield sheet_from_json(body)

    def chunks(self, sheet: Sheet | None = None) -> Iterator[Chunk]:
        """Yield the passages of a sheet, or of all, in reading order."""
        if sheet is None:
            bodies = self._values("SELECT body FROM chunk ORDER BY number")
        else:
            query = "SELECT body FROM chunk WHERE source = ? AND sid = ? ORDER BY number"
            bodies = self._values(query, sheet.source, sheet.id)
        for body in bodies:
            yield chunk_from_json(body)

    def concerning(self, institution: str, sources: Collection[str]) -> Iterator[SheetId]:
        """Yield the ids of the sheets of these sources that concern an institution, by its name."""
        query = (
            "SELECT sid FROM concern WHERE name = ? AND source IN (SELECT value FROM json_each(?))"
        )
        return self._values(query, institution, _json(sources))

    def concerned(self) -> Iterator[str]:
        """Yield the names of the institutions that some sheet concerns, once each."""
        return self._values("SELECT DISTINCT name FROM concern")

    def institutions(self, source: str = "") -> Iterator[Institution]:
        """Yield the institutions of the directories, or of one, in their publisher's order."""
        query = "SELECT body FROM institution WHERE source = ? OR ? = '' ORDER BY number"
        for body in self._values(query, source, source):
            yield institution_from_json(body)

    def institution_names(self, source: str) -> Iterator[str]:
        """Yield the names of a directory's institutions, once each."""
        return self._values("SELECT DISTINCT name FROM institution WHERE source = ?", source)

    def close(self) -> None:
        self._db.close()


def stored_inputs(path: Path) -> str:
    """Return what the corpus at ``path`` was made from; nothing where none can be read."""
    try:
        with closing(CorpusStore(path)) as store:
            return store.inputs
    except CorpusError:
        return ""


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps(list(texts)).decode()


def _rank(row: tuple[str, str, bytes]) -> tuple[int, str]:
    """Order sheets by their source: those that we know best first."""
    known = list(PUBLISHERS)
    return known.index(row[0]) if row[0] in PUBLISHERS else len(known), row[0]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mishap(error: sqlite3.Error | OSError) -> CorpusError | HomeError:
    if isinstance(error, OSError):
        return mishap(error)
    if "full" in str(error):
        return DiskFull()
    return CorpusError(
        "Le corpus ne peut pas être écrit : vérifiez la place et les droits du dossier de données."
    )
