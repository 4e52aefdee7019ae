"""A search engine in memory: plain, slow, and right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from albert.domain.documents import Chunk, ChunkId
from albert.index.analysis import terms
from albert.index.contract import EVERYTHING, Coverage, Filter, Level, Match, Vector


class MemoryEngine:
    """Ranks what it is given; ``passages`` by chunk id, ``sheets`` by ``"source/id"``."""

    def __init__(
        self,
        chunks: Iterable[Chunk],
        *,
        passages: Mapping[ChunkId, Vector] | None = None,
        sheets: Mapping[str, Vector] | None = None,
    ) -> None:
        self._chunks = {chunk.id: chunk for chunk in chunks}
        self._vectors: dict[Level, Mapping[str, Vector]] = {
            "passages": {str(key): value for key, value in (passages or {}).items()},
            "sheets": dict(sheets or {}),
        }
        self._terms = {c.id: Counter(terms(c.passage)) for c in self._chunks.values()}
        self._holding = Counter(term for found in self._terms.values() for term in found)

    async def lexical(
        self, query: str, *, limit: int, level: Level = "passages", where: Filter = EVERYTHING
    ) -> list[Match]:
        wanted = self._holding.keys() & set(terms(query))
        admitted, best, first = self._admitted(where), dict[str, float](), dict[str, Chunk]()
        for chunk in admitted:
            key = chunk.id if level == "passages" else _sheet(chunk)
            first.setdefault(key, chunk)
            best[key] = max(best.get(key, 0), sum(self._weight(chunk, t) for t in wanted))
        return _ranked(((first[key], score) for key, score in best.items() if score), limit)

    async def nearest(
        self, vector: Vector, *, level: Level, limit: int, where: Filter = EVERYTHING
    ) -> list[Match]:
        first: dict[str, Chunk] = {}
        for chunk in self._admitted(where):
            first.setdefault(chunk.id if level == "passages" else _sheet(chunk), chunk)
        vectors = self._vectors[level]
        near = ((c, float(vectors[key] @ vector)) for key, c in first.items() if key in vectors)
        return _ranked(near, limit)

    async def fetch(self, ids: Sequence[ChunkId]) -> list[Chunk]:
        return [self._chunks[name] for name in ids if name in self._chunks]

    def coverage(self) -> Coverage:
        return Coverage(
            chunks=len(self._chunks),
            sheets=len({_sheet(chunk) for chunk in self._chunks.values()}),
            passages_embedded=len(self._vectors["passages"]),
            sheets_embedded=len(self._vectors["sheets"]),
        )

    def _admitted(self, where: Filter) -> Iterable[Chunk]:
        return (chunk for chunk in self._chunks.values() if where.admits(chunk))

    def _weight(self, chunk: Chunk, term: str) -> float:
        frequency = self._terms[chunk.id][term]
        return frequency / (frequency + 1.2) * math.log(1 + len(self._chunks) / self._holding[term])


def _sheet(chunk: Chunk) -> str:
    return f"{chunk.source}/{chunk.sheet}"


def _ranked(scored: Iterable[tuple[Chunk, float]], limit: int) -> list[Match]:
    found = sorted(scored, key=lambda pair: (-pair[1], pair[0].id))
    return [Match(chunk.id, _sheet(chunk), score) for chunk, score in found[: max(limit, 0)]]
