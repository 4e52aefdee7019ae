"""Every vector ever computed, by the hash of its text: nothing is embedded twice."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from albert.index.builds import full_disk_told, writing

Key = bytes
"""16 bytes that name a model and a text."""

KEY = np.dtype("V16")
_CRC_SIZE = 4


def cache_path(folder: Path, model: str, dimension: int) -> Path:
    """Return where the vectors of ``model`` are kept under an index folder."""
    name = hashlib.blake2b(model.encode(), digest_size=6).hexdigest()
    return folder / "vectors" / f"{name}-{dimension}.f16"


def _record(dimension: int) -> np.dtype[np.void]:
    """Key, row in float16, CRC-32 of both: fixed size, so that a torn tail shows."""
    return np.dtype([("key", KEY), ("row", "<f2", (dimension,)), ("crc", "<u4")])


class CachedVectors:
    """The whole records of a cache file as it is now; a record that was damaged is passed over."""

    def __init__(self, path: Path, dimension: int) -> None:
        kind = _record(dimension)
        size = path.stat().st_size if path.exists() else 0
        count = size // kind.itemsize
        records = np.memmap(path, kind, "r", shape=(count,)) if count else np.empty(0, kind)
        self.rows: NDArray[np.float16] = records["row"]
        self._places: dict[Key, int] = {}
        for place in range(count):
            raw = records[place].tobytes()
            if zlib.crc32(raw[:-_CRC_SIZE]) == int.from_bytes(raw[-_CRC_SIZE:], "little"):
                self._places[raw[: KEY.itemsize]] = place
        self.records = count
        """Records in the file, damaged ones included."""

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: Key) -> int:
        """Return the index in ``rows`` of the vector of that name, or -1."""
        return self._places.get(key, -1)


class CacheWriter:
    """Appends to a cache file; made by ``writer``."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._path, self._kind = path, _record(dimension)
        self._dimension = dimension
        self._file = path.open("ab", buffering=0)
        self._cut_torn_tail()

    def _cut_torn_tail(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        self._file.truncate(size - size % self._kind.itemsize)

    def append(self, keys: Sequence[Key], vectors: NDArray[np.floating]) -> None:
        """Keep these vectors; whatever happens next, those already here stay whole.

        Raises:
            DiskFull: the vectors that did not fit are not kept.
        """
        records = np.zeros(len(keys), self._kind)
        records["key"] = np.frombuffer(b"".join(keys), KEY)
        records["row"] = vectors
        for record in records:
            record["crc"] = zlib.crc32(record.tobytes()[:-_CRC_SIZE])
        try:
            with full_disk_told(self._path):
                _write_all(self._file.fileno(), records.tobytes())
        finally:
            self._cut_torn_tail()

    def compact(self, used: Collection[Key]) -> bool:
        """Rewrite the file with only the ``used`` vectors if they are less than half of it."""
        cached = CachedVectors(self._path, self._dimension)
        kept = [key for key in used if cached.find(key) >= 0]
        if 2 * len(kept) >= cached.records:
            return False
        aside = self._path.with_suffix(".new")
        aside.unlink(missing_ok=True)
        fresh = CacheWriter(aside, self._dimension)
        fresh.append(kept, cached.rows[[cached.find(key) for key in kept]])
        os.fsync(fresh._file.fileno())
        aside.replace(self._path)
        self._file.close()
        self._file = fresh._file
        return True

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


@contextmanager
def writer(path: Path, dimension: int) -> Iterator[CacheWriter]:
    """Open a cache file for writing, alone.

    Raises:
        HomeBusy: another process is embedding.
        DiskFull
    """
    with writing(path.with_suffix(".lock")):
        opened = CacheWriter(path, dimension)
        try:
            yield opened
        finally:
            opened.close()


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
