"""The corpus on disk: one SQLite file of sheets, passages and institutions, replaced whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import orjson

from albert.corpus.report import BuildReport, report_from_json
from albert.domain.documents import (
    Chunk,
    Contact,
    Institution,
    Link,
    RelatedQuestion,
    Section,
    Sheet,
    Term,
    WebService,
)
from albert.domain.errors import (
    CorpusError,
    CorpusMissing,
    DiskFull,
    HomeError,
    SheetNotFound,
)
from albert.domain.mishaps import mishap

R = TypeVar("R")

FORMAT = 1
"""Written in the file; another format is not read but rebuilt."""

_SCHEMA = """
CREATE TABLE sheet (source TEXT, sid TEXT, body BLOB, PRIMARY KEY (source, sid)) WITHOUT ROWID;
CREATE TABLE chunk (number INTEGER PRIMARY KEY, id TEXT, source TEXT, sid TEXT, body BLOB);
CREATE TABLE institution (number INTEGER PRIMARY KEY, body BLOB);
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB);
"""
_INDEXES = """
CREATE INDEX chunk_by_sheet ON chunk (source, sid);
CREATE INDEX sheet_by_sid ON sheet (sid);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A sheet and its passages, encoded where they were read: cheap to carry between processes."""

    source: str
    sid: str
    body: bytes
    chunks: Sequence[tuple[str, bytes]] = ()


def row(sheet: Sheet, chunks: Iterable[Chunk]) -> Row:
    """Encode a sheet with its passages."""
    encoded = [(chunk.id, orjson.dumps(chunk)) for chunk in chunks]
    return Row(sheet.source, sheet.id, orjson.dumps(sheet), encoded)


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
        except sqlite3.OperationalError as error:
            raise _mishap(error) from error

    def add_institutions(self, institutions: Iterable[Institution]) -> None:
        encoded = ((orjson.dumps(institution),) for institution in institutions)
        try:
            self._db.executemany("INSERT INTO institution VALUES (NULL, ?)", encoded)
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

    def _values(self, query: str, *parameters: str) -> Iterator[Any]:
        """Yield the first column of what is found; damage may show at any row."""
        try:
            for (value,) in self._db.execute(query, parameters):
                yield value
        except sqlite3.DatabaseError as error:
            raise CorpusError(
                f"Le corpus {str(self._path)!r} est abîmé : lancez « albert corpus build »."
            ) from error

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
        source, _, name = sid.rpartition("/")
        query = "SELECT body FROM sheet WHERE sid = ? AND (source = ? OR ? = '')"
        found = next(self._values(query, name, source, source), None)
        if found is None:
            raise SheetNotFound(
                f"Aucune fiche ne porte l'identifiant {sid!r} : "
                "« albert search » trouve les fiches par leur contenu."
            )
        return sheet_from_json(found)

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

    def institutions(self) -> Iterator[Institution]:
        for body in self._values("SELECT body FROM institution ORDER BY number"):
            yield _record(Institution, orjson.loads(body))

    def close(self) -> None:
        self._db.close()


def stored_inputs(path: Path) -> str:
    """Return what the corpus at ``path`` was made from; nothing where none can be read."""
    try:
        with closing(CorpusStore(path)) as store:
            return store.inputs
    except CorpusError:
        return ""


def chunk_from_json(body: bytes) -> Chunk:
    """Decode a passage; its id is computed again from its content."""
    values = orjson.loads(body)
    del values["id"]
    return _record(Chunk, values)


def sheet_from_json(body: bytes) -> Sheet:
    values = orjson.loads(body)
    parts: dict[str, type[Any]] = {
        "sections": Section,
        "web_services": WebService,
        "related_questions": RelatedQuestion,
        "contacts": Contact,
        "links": Link,
        "terms": Term,
    }
    for name, kind in parts.items():
        values[name] = [_record(kind, value) for value in values[name]]
    return _record(Sheet, values)


def _record(kind: type[R], values: dict[str, Any]) -> R:
    """Make one of our dataclasses from its own JSON: lists become tuples, unknown names go."""
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # R is always a dataclass
    return kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    )


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
