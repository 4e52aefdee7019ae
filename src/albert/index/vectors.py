"""The vectors of a build: one matrix of passages, one of sheets, filled while they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from albert.index.contract import Level, Vector
from albert.index.vector_cache import KEY, CachedVectors, Key

Rows = NDArray[np.intp]
_Mode = Literal["r", "r+"]


def vector_key(model: str, text: str) -> Key:
    """Return the name of the vector that ``model`` gives ``text`` as a document."""
    return hashlib.blake2b(f"{model}\x1f{text}".encode(), digest_size=16).digest()


class Matrix:
    """One row a passage or a sheet, float16, shared by one writing and any reading processes.

    A row counts once its mark is set, and the mark is set after the row is
    written: a reader, or a process that takes over from a killed one, never
    sees half a vector.
    """

    def __init__(
        self, folder: Path, level: Level, dimension: int, *, writable: bool = False
    ) -> None:
        mode: _Mode = "r+" if writable else "r"
        self.keys: NDArray[np.void] = _mapped(folder / f"{level}.keys", KEY, "r")
        self._marks: NDArray[np.uint8] = _mapped(folder / f"{level}.marks", "u1", mode)
        rows: NDArray[np.float16] = _mapped(folder / f"{level}.f16", "f2", mode)
        self._rows = rows.reshape(len(self.keys), dimension)

    @staticmethod
    def create(folder: Path, level: Level, dimension: int, keys: Iterable[Key]) -> None:
        """Make an empty matrix, its rows bound to ``keys`` in order."""
        names = b"".join(keys)
        count = len(names) // KEY.itemsize
        (folder / f"{level}.keys").write_bytes(names)
        for suffix, size in (("marks", count), ("f16", count * dimension * 2)):
            with (folder / f"{level}.{suffix}").open("wb") as file:
                file.truncate(size)  # a hole: it takes no room until it is written

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows have their vector so far; a view that follows the writer."""
        return self._marks.view(np.bool_)

    def count(self) -> int:
        return int(np.count_nonzero(self._marks))

    def missing(self) -> Rows:
        return np.flatnonzero(self._marks == 0)

    def put(self, rows: Rows, vectors: NDArray[np.floating]) -> None:
        self._rows[rows] = vectors
        self._marks[rows] = 1

    def fill(self, cached: CachedVectors) -> int:
        """Put every missing vector that is cached in its place; return how many there were."""
        missing = self.missing()
        found = np.array([cached.find(self.keys[row].tobytes()) for row in missing], np.intp)
        known = found >= 0
        self.put(missing[known], cached.rows[found[known]])
        return int(np.count_nonzero(known))

    def unmark_damaged(self) -> None:
        """Forget rows whose norm is not 1: a power cut may keep a mark and lose its row."""
        marked = np.flatnonzero(self._marks)
        norms = np.linalg.norm(self._rows[marked].astype(np.float32), axis=1)
        self._marks[marked[~(np.abs(norms - 1) < 0.01)]] = 0

    def scores(self, vector: Vector, admitted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return each row's dot product with ``vector``, -inf where it may not match."""
        import numkong

        if not len(self.keys):
            return np.empty(0)
        query = vector.astype(np.float16)[np.newaxis]
        dots = np.asarray(numkong.cdist(query, self._rows, "dot"))[0]
        return np.where(admitted & self.present, dots, -np.inf)


def best(scores: NDArray[np.float64], limit: int) -> Rows:
    """Return the rows of the ``limit`` highest finite scores, with all that tie with the last."""
    if limit < 1:
        return np.empty(0, np.intp)
    if limit < len(scores):
        bar = np.partition(scores, -limit)[-limit]
        rows = np.flatnonzero(scores >= bar)
    else:
        rows = np.arange(len(scores))
    return rows[np.isfinite(scores[rows])]


def _mapped(path: Path, kind: DTypeLike, mode: _Mode) -> NDArray[Any]:
    """Map a file of ``kind``; an empty file cannot be mapped and gives an empty array."""
    if not path.stat().st_size:
        return np.empty(0, kind)
    mapped: NDArray[Any] = np.memmap(path, dtype=kind, mode=mode)
    return mapped
