"""Computes the vectors that the current build still lacks: sheets first, then passages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from albert.domain.errors import IndexIncompatible
from albert.index.builds import current, open_current, read_metadata
from albert.index.contract import Coverage, Level
from albert.index.payload import Payload
from albert.index.vector_cache import CachedVectors, CacheWriter, Key, cache_path, writer
from albert.index.vectors import Matrix
from albert.inference.contract import Embedder

Scope = Literal["sheets", "all"]


async def embed_missing(
    folder: Path,
    embedder: Embedder,
    *,
    model: str,
    scope: Scope = "all",
    workers: int = 2,
    batch: int = 8,
    progress: Callable[[Coverage], None] = lambda coverage: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Coverage:
    """Embed what the current build of ``folder`` lacks, and return how far it got.

    ``workers`` calls of ``batch`` texts each are under way at a time. ``model``
    is the name that the index and the cache go by. Each batch is kept as soon as
    it is there: stopped, cancelled or killed, the next call goes on from it. A
    build that is swapped in meanwhile is gone over to.

    Raises:
        IndexNotFound, InferenceError, DiskFull
        IndexIncompatible: the current build is for another model.
        HomeBusy: another process is embedding.
    """
    path = cache_path(folder, model, embedder.dimension)
    with writer(path, embedder.dimension) as cache:
        while True:
            run = await asyncio.to_thread(_Run, folder, model, embedder.dimension, cache, path)
            progress(run.coverage())
            for level in ("sheets", "passages") if scope == "all" else ("sheets",):
                batches = run.batches(level, batch)
                await _all_of(
                    [_work(run, batches, embedder, progress, should_stop) for _ in range(workers)]
                )
            if should_stop() or not run.replaced():
                return run.coverage()


async def _work(
    run: _Run,
    batches: Iterator[_Batch],
    embedder: Embedder,
    progress: Callable[[Coverage], None],
    should_stop: Callable[[], bool],
) -> None:
    """Embed batches until there is no other, or no reason to go on."""
    for one in batches:
        if should_stop() or run.replaced():
            return
        texts = await asyncio.to_thread(one.texts)
        vectors = await embedder.embed(texts, role="document")
        await asyncio.to_thread(one.keep, vectors)
        progress(run.coverage())


async def _all_of(works: Sequence[Coroutine[None, None, None]]) -> None:
    """Wait for all; when one fails, the others are cancelled and over before that is told."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Run:
    """One build, open for its vectors to be written; what the cache has is in place."""

    def __init__(
        self, folder: Path, model: str, dimension: int, cache: CacheWriter, path: Path
    ) -> None:
        self._folder, self._dimension = folder, dimension
        self.cache = cache
        self.keeping = threading.Lock()
        self._build, self._model = "", model
        open_current(folder, self._open)
        cache.compact({key.tobytes() for m in self._matrices.values() for key in m.keys})
        cached = CachedVectors(path, dimension)
        for matrix in self._matrices.values():
            matrix.unmark_damaged()
            matrix.fill(cached)

    def _open(self, path: Path) -> None:
        metadata = read_metadata(path)
        if (metadata.model, metadata.dimension) != (self._model, self._dimension):
            raise IndexIncompatible
        self._payload = Payload(path / "payload")
        self._sheet_texts: list[str] = orjson.loads((path / "sheet_texts.json").read_bytes())
        self._matrices: dict[Level, Matrix] = {
            level: Matrix(path, level, self._dimension, writable=True)
            for level in ("sheets", "passages")
        }
        self._build = path.name

    def replaced(self) -> bool:
        return current(self._folder) != self._build

    def coverage(self) -> Coverage:
        return Coverage(
            chunks=len(self._payload.ids),
            sheets=len(self._payload.sheets),
            passages_embedded=self._matrices["passages"].count(),
            sheets_embedded=self._matrices["sheets"].count(),
        )

    def text(self, level: Level, row: int) -> str:
        return self._sheet_texts[row] if level == "sheets" else self._payload.chunk(row).passage

    def batches(self, level: Level, size: int) -> Iterator[_Batch]:
        """Yield what is missing, the sheets of most readers first; equal texts come once."""
        matrix = self._matrices[level]
        passages = self._payload.particuliers_first()
        order = passages if level == "passages" else self._payload.sheet_of[passages]
        missing = np.zeros(len(matrix.keys), np.bool_)
        missing[matrix.missing()] = True
        twins: dict[Key, list[int]] = {}
        for row in dict.fromkeys(order[missing[order]].tolist()):
            twins.setdefault(matrix.keys[row].tobytes(), []).append(row)
        waiting = iter(twins.items())
        while some := dict(islice(waiting, size)):
            yield _Batch(self, level, matrix, some)


class _Batch:
    """A few texts to embed, each with its name and the rows that it stands in."""

    def __init__(self, run: _Run, level: Level, matrix: Matrix, rows: dict[Key, list[int]]) -> None:
        self._run, self._level, self._matrix, self._rows = run, level, matrix, rows

    def texts(self) -> list[str]:
        return [self._run.text(self._level, rows[0]) for rows in self._rows.values()]

    def keep(self, vectors: NDArray[np.float32]) -> None:
        """Write the vectors to the cache first, then where they are searched."""
        with self._run.keeping:
            self._run.cache.append(list(self._rows), vectors)
            for rows, vector in zip(self._rows.values(), vectors, strict=True):
                self._matrix.put(np.array(rows), vector)
