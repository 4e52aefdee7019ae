"""The embedded engine: tantivy for words, an exact scan for vectors, in shared files."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from albert.domain.documents import Chunk, ChunkId
from albert.domain.errors import IndexIncompatible, IndexNotFound
from albert.index.builds import damage_told, open_current, read_metadata
from albert.index.contract import EVERYTHING, Coverage, Filter, Level, Match, Vector
from albert.index.payload import Payload
from albert.index.vectors import Matrix, best
from albert.index.windows import Windows
from albert.index.words import Boosts, Words

_log = logging.getLogger(__name__)

_LOOK_AGAIN = 1.0
"""Seconds between two looks at which build is current."""


class EmbeddedEngine:
    """Searches the current build of ``folder``, and moves to the next one by itself.

    ``longest_query`` is the number of distinct terms of a question that count.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model: str,
        dimension: int,
        boosts: Boosts = Boosts(),
        longest_query: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._model, self._dimension = folder, model, dimension
        self._boosts, self._longest = boosts, longest_query
        self._clock, self._looked = clock, -_LOOK_AGAIN
        self._stamp: tuple[int, int] | None = None
        self._snapshot: _Snapshot | None = None
        self._opening = threading.Lock()

    async def lexical(
        self,
        query: str,
        *,
        limit: int,
        level: Level = "passages",
        where: Filter = EVERYTHING,
    ) -> list[Match]:
        return await asyncio.to_thread(self.rank_words, query, limit, where, level)

    async def nearest(
        self, vector: Vector, *, level: Level, limit: int, where: Filter = EVERYTHING
    ) -> list[Match]:
        return await asyncio.to_thread(self.rank_vectors, vector, level, limit, where)

    async def fetch(self, ids: Sequence[ChunkId]) -> list[Chunk]:
        return await asyncio.to_thread(self.read, ids)

    def coverage(self) -> Coverage:
        build = self._current()
        return Coverage(
            chunks=len(build.payload.ids),
            sheets=len(build.payload.sheets),
            passages_embedded=build.passages.count(),
            sheets_embedded=build.sheets.count(),
        )

    def rank_words(
        self, query: str, limit: int, where: Filter = EVERYTHING, level: Level = "passages"
    ) -> list[Match]:
        """``lexical``, in the calling thread."""
        build = self._current()
        selection = build.payload.selection(where)
        admitted = selection.passages
        if level == "sheets":
            ranked = build.windows.rank(query, limit, selection.sheets)
            return build.matches([(s, int(selection.first[row])) for s, row in ranked], limit)
        return build.matches(build.words.rank(query, limit, where, admitted), limit)

    def rank_vectors(
        self, vector: Vector, level: Level, limit: int, where: Filter = EVERYTHING
    ) -> list[Match]:
        """``nearest``, in the calling thread."""
        build = self._current()
        selection = build.payload.selection(where)
        if level == "passages":
            scores = build.passages.scores(vector, selection.passages)
            rows = chunks = best(scores, limit)
        else:
            scores = build.sheets.scores(vector, selection.sheets)
            rows = best(scores, limit)
            chunks = selection.first[rows]
        return build.matches(zip(scores[rows].tolist(), chunks.tolist(), strict=True), limit)

    def read(self, ids: Sequence[ChunkId]) -> list[Chunk]:
        """``fetch``, in the calling thread."""
        payload = self._current().payload
        return [payload.chunk(row) for row in payload.rows(ids)]

    def _current(self) -> _Snapshot:
        if self._snapshot is None or self._clock() - self._looked >= _LOOK_AGAIN:
            with self._opening:
                self._look()
        if self._snapshot is None:
            raise IndexNotFound
        return self._snapshot

    def _look(self) -> None:
        """Open the current build if it is another than the one we have."""
        try:
            status = (self._folder / "current").stat()
        except FileNotFoundError:
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            try:
                self._snapshot = open_current(self._folder, self._open)
            except IndexIncompatible:
                if self._snapshot is None:
                    raise
                _log.warning("new index is for another model: the old one stays in use")
            self._stamp = stamp
        self._looked = self._clock()

    def _open(self, path: Path) -> _Snapshot:
        metadata = read_metadata(path)
        if (metadata.model, metadata.dimension) != (self._model, self._dimension):
            raise IndexIncompatible(
                f"L'index a été construit pour le modèle {metadata.model!r}, "
                f"pas pour {self._model!r} : lancez « albert index build »."
            )
        with damage_told():
            words = Words(path / "words", self._boosts, self._longest)
            windows = Windows(path / "windows", self._longest)
            return _Snapshot(path, self._dimension, words, windows)


class _Snapshot:
    """One build, open; it outlives its files' removal."""

    def __init__(self, path: Path, dimension: int, words: Words, windows: Windows) -> None:
        self.words, self.windows = words, windows
        self.payload = Payload(path / "payload")
        self.passages = Matrix(path, "passages", dimension)
        self.sheets = Matrix(path, "sheets", dimension)

    def matches(self, ranked: Iterable[tuple[float, int]], limit: int) -> list[Match]:
        """Name the chunks of ``(score, row)``, best first, ties by chunk id, and keep ``limit``."""
        payload = self.payload
        named = sorted((-score, payload.ids[row].decode(), row) for score, row in ranked)
        return [
            Match(ChunkId(name), str(payload.sheets[payload.sheet_of[row]]), -score)
            for score, name, row in named[:limit]
        ]
