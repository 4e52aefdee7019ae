"""A data set's folder: one writer, replaced in one step, whole after a kill at any moment."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from albert.corpus.manifest import Manifest, loads
from albert.domain.errors import CorpusError, DiskFull, HomeBusy

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def room() -> Iterator[None]:
    """Tell a full disk from other failures.

    Raises:
        DiskFull: the body ran out of room.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull from error
        raise


@contextmanager
def alone(lock: Path, message: str | None = None) -> Iterator[None]:
    """Hold ``lock``; the kernel lets go of it however the process ends.

    Raises:
        HomeBusy: another process, or another task of this one, holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeBusy(message) from None
        yield


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data set lives: ``<folder>/<name>/{data,manifest.json}``, and what stands aside."""

    folder: Path
    name: str

    @property
    def current(self) -> Path:
        return self.folder / self.name

    @property
    def data(self) -> Path:
        """What readers are given."""
        return self.current / "data"

    @property
    def fresh(self) -> Path:
        """What is being built, and takes the place of ``current`` once whole."""
        return self.folder / f"{self.name}.new"

    @property
    def partial(self) -> Path:
        """Downloads under way; they outlive a kill, to be resumed."""
        return self.folder / f"{self.name}.part"

    @property
    def unpacked(self) -> Path:
        return self.folder / f"{self.name}.tmp"

    @property
    def _old(self) -> Path:
        return self.folder / f"{self.name}.old"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to write; a reader that needs a still folder may hold it too.

        Raises:
            HomeBusy: another process, or another task of this one, holds it.
        """
        with alone(self.folder / f"{self.name}.lock"):
            yield

    def recover(self) -> None:
        """Clear what a killed writer left, and put back what it had set aside. Wants the lock."""
        if not self.current.exists() and self._old.exists():
            self._old.rename(self.current)
        self.clear()

    def clear(self, *, downloads: bool = False) -> None:
        """Remove what stands aside; partial downloads too where they are known to be bad."""
        aside = (self._old, self.fresh, self.unpacked, *((self.partial,) if downloads else ()))
        for leftover in aside:
            if leftover.exists():
                shutil.rmtree(leftover)

    def manifest(self) -> Manifest | None:
        """Return what is installed, or ``None``.

        Raises:
            HomeTooNew: a later version of Albert wrote it.
            CorpusError: the manifest is damaged or unreadable.
        """
        path = self.current / "manifest.json"
        try:
            return loads(path.read_text("utf-8"), path)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(
                f"Le manifeste « {path} » est illisible : relancez « albert corpus fetch --force »."
            ) from error

    def install(self, manifest: Manifest) -> None:
        """Put ``fresh`` in the place of ``current``, after it reached the disk. Wants the lock."""
        (self.fresh / "manifest.json").write_text(manifest.dumps(), "utf-8")
        _sync(self.fresh)
        if not self.current.exists():
            self.fresh.rename(self.current)
        elif not _exchange(self.fresh, self.current):
            self.current.rename(self._old)
            self.fresh.rename(self.current)
        _sync(self.folder)
        self.clear(downloads=True)


def installed(folder: Path, name: str) -> Manifest | None:
    """Return what is installed of a data set, mending what a killed fetch left behind.

    Raises:
        HomeTooNew: a later version of Albert wrote it.
        CorpusError: the manifest is damaged.
    """
    place = Place(folder, name)
    if not place.current.exists() and folder.exists():
        try:
            with place.locked():
                place.recover()
        except HomeBusy:
            return None
    return place.manifest()


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders' names in one step; ``False`` where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _sync(folder: Path) -> None:
    """Wait until the file system of ``folder`` is on disk: one call, not one a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if sync is None:
            os.sync()
        elif sync(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
