"""What a build keeps of its chunks and sheets beside their words: ids, filters, texts."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from albert.domain.documents import AUDIENCES, Chunk, ChunkId, SheetId, SourceName
from albert.index.contract import Filter

Mask = NDArray[np.bool_]
_FIELDS = tuple(field.name for field in fields(Chunk) if field.init)
_BIT = {audience: 1 << place for place, audience in enumerate(AUDIENCES)}
_ALL = 0xFF
"""Audiences of a chunk that names none: it is admitted for each."""


class SheetKey(NamedTuple):
    source: SourceName
    id: SheetId

    def __str__(self) -> str:
        return f"{self.source}/{self.id}"


class PayloadWriter:
    """Appends chunks to the payload of a new build, and remembers what they belong to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._file = (folder / "chunks.jsonl").open("wb")
        self._offsets = [0]
        self._ids: dict[bytes, int] = {}
        self._sheets: dict[SheetKey, int] = {}
        self._sheet_of: list[int] = []
        self._audiences: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, chunk: Chunk) -> int | None:
        """Keep ``chunk`` and return its row, or None if a chunk of that id is here already."""
        row = len(self._ids)
        if self._ids.setdefault(chunk.id.encode(), row) != row:
            return None
        line = orjson.dumps([getattr(chunk, name) for name in _FIELDS]) + b"\n"
        self._file.write(line)
        self._offsets.append(self._offsets[-1] + len(line))
        key = SheetKey(chunk.source, chunk.sheet)
        self._sheet_of.append(self._sheets.setdefault(key, len(self._sheets)))
        self._audiences.append(sum(_BIT[a] for a in set(chunk.audiences)) or _ALL)
        return row

    @property
    def sheet(self) -> int:
        """The row of the sheet of the chunk that was added last."""
        return self._sheet_of[-1]

    def finish(self) -> list[SheetKey]:
        """Write the rest and return the sheets that have chunks, in order of their rows."""
        self._file.flush()
        ids = np.array(list(self._ids), dtype="S24")
        for name, values in (
            ("offsets", np.array(self._offsets, np.int64)),
            ("ids", ids),
            ("by_id", np.argsort(ids, kind="stable").astype(np.int32)),
            ("sheet_of", np.array(self._sheet_of, np.int32)),
            ("audiences", np.array(self._audiences, np.uint8)),
        ):
            np.save(self._folder / f"{name}.npy", values)
        keys = list(self._sheets)
        (self._folder / "sheets.json").write_bytes(orjson.dumps([list(key) for key in keys]))
        return keys


class Payload:
    """Reads what ``PayloadWriter`` wrote; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.ids: NDArray[np.bytes_] = np.load(folder / "ids.npy")
        self.sheet_of: NDArray[np.int32] = np.load(folder / "sheet_of.npy")
        pairs = orjson.loads((folder / "sheets.json").read_bytes())
        self.sheets = [SheetKey(*pair) for pair in pairs]
        self._by_id: NDArray[np.int32] = np.load(folder / "by_id.npy")
        self._sorted_ids = self.ids[self._by_id]
        self._audiences: NDArray[np.uint8] = np.load(folder / "audiences.npy")
        self._offsets: NDArray[np.int64] = np.load(folder / "offsets.npy", mmap_mode="r")
        with (folder / "chunks.jsonl").open("rb") as file:
            empty = not len(self.ids)  # an empty file cannot be mapped
            self._text = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.selection = lru_cache(maxsize=64)(self._selection)

    def chunk(self, row: int) -> Chunk:
        start, end = self._offsets[row : row + 2]
        line = orjson.loads(self._text[start:end])
        values: dict[str, Any] = dict(zip(_FIELDS, line, strict=True))
        values["headings"] = tuple(values["headings"])
        values["audiences"] = tuple(values["audiences"])
        return Chunk(**values)

    def rows(self, ids: Sequence[ChunkId]) -> list[int]:
        """Return the rows of these ids, in order, without those that are unknown."""
        if not len(self.ids):
            return []
        wanted = np.array([chunk_id.encode() for chunk_id in ids], dtype=np.bytes_)
        places = np.searchsorted(self._sorted_ids, wanted)
        places[places == len(self.ids)] = 0
        known = self._sorted_ids[places] == wanted
        return [int(row) for row in self._by_id[places[known]]]

    def particuliers_first(self) -> NDArray[np.intp]:
        """Return all rows, those of most readers first, each part in the order of the corpus."""
        return np.argsort((self._audiences & _BIT["particuliers"]) == 0, kind="stable")

    def _selection(self, where: Filter) -> Selection:
        judged = (_admits(where, key) for key in self.sheets)
        admitted = np.fromiter(judged, np.bool_, len(self.sheets))
        passages = admitted[self.sheet_of]
        if where.audiences:
            passages &= (self._audiences & sum(_BIT[a] for a in where.audiences)) != 0
        first = np.full(len(self.sheets), -1, np.int64)
        rows = np.flatnonzero(passages)[::-1]
        first[self.sheet_of[rows]] = rows  # the last one written is the first of its sheet
        return Selection(passages, first >= 0, first)


class Selection(NamedTuple):
    """What a filter admits: passages, sheets, and the row of each sheet's first admitted chunk."""

    passages: Mask
    sheets: Mask
    first: NDArray[np.int64]


def _admits(where: Filter, key: SheetKey) -> bool:
    return (
        (not where.sources or key.source in where.sources)
        and (not where.sheets or key.id in where.sheets)
        and key.id not in where.without_sheets
    )
