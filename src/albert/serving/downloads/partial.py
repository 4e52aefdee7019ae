"""A file under way: what came of it so far, resumed after a cut or a kill, and its proof."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO

from albert.serving.downloads.listing import Remote

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Stopped(Exception):
    """Another file failed, or the user left."""


class TooLong(Exception):
    """More came than the file has."""


class Partial:
    """The bytes of one file in the folder of what is aside. Named by content: never stale."""

    def __init__(self, folder: Path, file: Remote) -> None:
        self.file = file
        self.whole = folder / file.id
        """Where it is once proven."""
        self.path = folder / f"{file.id}.part"

    @property
    def size(self) -> int:
        """Bytes that are here."""
        for path in (self.whole, self.path):
            if path.exists():
                return path.stat().st_size
        return 0

    @property
    def done(self) -> bool:
        return self.whole.exists()

    @property
    def full(self) -> bool:
        """Whether all of its bytes are here, right or wrong."""
        return (self.whole.exists() or self.path.exists()) and self.size >= self.file.size

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)

    def prove(self) -> bool:
        """Keep the file if it is what the repository says, for good; else discard it."""
        if not matches(self.path, self.file):
            self.discard()
            return False
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.rename(self.whole)
        return True


class Sink(io.FileIO):
    """Where the bytes of a ``Partial`` are written, at its end; ``judge`` is given the first."""

    def __init__(
        self,
        partial: Partial,
        *,
        judge: Callable[[bytes], object],
        progress: Callable[[int], None],
        stop: Event,
    ) -> None:
        super().__init__(partial.path, "ab")
        self._largest, self._judge, self._progress = partial.file.size, judge, progress
        self._stop = stop

    def write(self, block: ReadableBuffer, /) -> int:
        """Write all of it.

        Raises:
            Stopped, TooLong
            ModelFileInvalid: the first bytes are not those of what is served.
        """
        octets = memoryview(block)
        here = self.tell()
        if self._stop.is_set():
            raise Stopped
        if here == 0:
            self._judge(bytes(octets))
        if here + len(octets) > self._largest:
            raise TooLong
        written = 0
        while written < len(octets):
            written += super().write(octets[written:]) or 0
        self._progress(written)
        return written

    def truncate(self, size: int | None = None, /) -> int:
        """Begin again: the server did not go on from where we were."""
        before = os.fstat(self.fileno()).st_size
        left = super().truncate(size)
        self._progress(left - before)
        return left


def matches(path: Path, file: Remote) -> bool:
    """Whether the bytes of a file are those of the repository, by SHA-256 or git's own SHA-1."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as octets:
        if file.sha256:
            return hashlib.file_digest(octets, "sha256").hexdigest() == file.sha256
        return git_oid(octets, file.size) == file.oid


def git_oid(octets: BinaryIO, size: int) -> str:
    """Return the name that git gives to a file (https://git-scm.com/book: Git Objects)."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    while block := octets.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
