"""What is looked up by its name, rather than searched for."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from albert.corpus.store import CorpusStore
from albert.corpus.text import normalise
from albert.domain.documents import Chunk, ChunkId, Institution, Sheet, SheetId, SourceName
from albert.domain.errors import CorpusMissing
from albert.index.contract import SearchEngine

T = TypeVar("T")

DIRECTORY = SourceName("directory")
HOUSES = SourceName("france-services")
_CHUNK_ID = re.compile(r"[0-9a-f]{24}")


class Library(Protocol):
    """Passages, sheets and institutions, by id or by name; all raise ``CorpusError``."""

    async def chunks(self, ids: Sequence[str]) -> list[Chunk | None]:
        """Return the passages of these ids, in order, None in the place of an unknown one.

        Raises:
            SearchError: they are the index's.
        """
        ...

    async def sheets(self, ids: Sequence[str]) -> list[Sheet | None]:
        """Return the sheets of these ids, in order, None in the place of an unknown one.

        An id is ``"F35789"``, the first source that has it being meant, or
        ``"service-public/F35789"``.
        """
        ...

    async def concerning(
        self, institution: str, sources: Collection[SourceName]
    ) -> frozenset[SheetId]:
        """Return the sheets of these sources that concern an institution, by its name."""
        ...

    async def institutions(self) -> Sequence[str]:
        """Return the names of the directory's institutions and of those that sheets concern.

        Sorted, once each; the same object as long as the corpus is the same.
        """
        ...

    async def organizations(self) -> Sequence[Institution]:
        """Return the France services houses, by name then id; each has an id of its own.

        The same object as long as the corpus is the same.
        """
        ...


class CorpusLibrary:
    """Looks in the corpus at ``corpus``, and in the index for passages."""

    def __init__(self, corpus: Path, engine: SearchEngine) -> None:
        self._path = corpus
        self._engine = engine
        self._institutions = _Kept(corpus, _institutions)
        self._organizations = _Kept(corpus, _organizations)

    async def chunks(self, ids: Sequence[str]) -> list[Chunk | None]:
        wanted = [ChunkId(name) for name in ids if _CHUNK_ID.fullmatch(name)]
        found: dict[str, Chunk] = {c.id: c for c in await self._engine.fetch(wanted)}
        return [found.get(name) for name in ids]

    async def sheets(self, ids: Sequence[str]) -> list[Sheet | None]:
        return await asyncio.to_thread(_read, self._path, lambda store: store.some_sheets(ids))

    async def concerning(
        self, institution: str, sources: Collection[SourceName]
    ) -> frozenset[SheetId]:
        name = normalise(institution)
        return await asyncio.to_thread(
            _read, self._path, lambda store: frozenset(store.concerning(name, sources))
        )

    async def institutions(self) -> Sequence[str]:
        return await asyncio.to_thread(self._institutions.read)

    async def organizations(self) -> Sequence[Institution]:
        return await asyncio.to_thread(self._organizations.read)


def _read(path: Path, read: Callable[[CorpusStore], T]) -> T:
    """Open the corpus for one question: a fraction of a millisecond, and never a stale file."""
    with closing(CorpusStore(path)) as store:
        return read(store)


def _institutions(store: CorpusStore) -> tuple[str, ...]:
    return tuple(sorted({*store.concerned(), *store.institution_names(DIRECTORY)}))


def _organizations(store: CorpusStore) -> tuple[Institution, ...]:
    return tuple(sorted(store.institutions(HOUSES), key=lambda house: (house.name, house.id)))


class _Kept(Generic[T]):
    """What was read of a corpus, for as long as its file is the same."""

    def __init__(self, path: Path, read: Callable[[CorpusStore], T]) -> None:
        self._path, self._make = path, read
        self._kept: tuple[tuple[int, int], T] | None = None
        self._reading = threading.Lock()

    def read(self) -> T:
        """Return it, read again if the corpus was replaced; several callers read it once."""
        with self._reading:
            try:
                status = self._path.stat()  # before reading: a newer corpus is then read twice
            except FileNotFoundError:
                raise CorpusMissing from None
            stamp = (status.st_mtime_ns, status.st_ino)
            if self._kept is None or self._kept[0] != stamp:
                self._kept = stamp, _read(self._path, self._make)
            return self._kept[1]
