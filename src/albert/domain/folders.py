"""A folder that one process at a time replaces in one step, whole after a kill at any moment."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from albert.domain.errors import DiskFull, HomeBusy

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


def take_place(fresh: Path, current: Path, aside: Path) -> None:
    """Put ``fresh`` in the place of ``current``, after it reached the disk.

    What was there is then at ``fresh`` or at ``aside``; killed between two renames, where
    the system cannot swap, it is at ``aside`` and nothing is at ``current``.
    """
    sync(fresh)
    if not current.exists():
        fresh.rename(current)
    elif not _exchange(fresh, current):
        current.rename(aside)
        fresh.rename(current)
    sync(current.parent)


def sync(folder: Path) -> None:
    """Wait until the file system of ``folder`` is on disk: one call, not one a file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        synced = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if synced is None:
            os.sync()
        elif synced(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders' names in one step; ``False`` where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
