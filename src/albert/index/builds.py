"""Where builds live on disk: made aside, swapped in whole, removed when replaced.

* ``<folder>/builds/<id>/`` one build, complete once ``metadata.json`` is in it
* ``<folder>/current`` the id of the build to read, replaced in one step
* ``<folder>/lock`` held by the process that builds
* ``<folder>/vectors/`` what was embedded so far, shared by all builds
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from albert.domain.errors import DiskFull, HomeBusy, IndexIncompatible, IndexNotFound

FORMAT = 1
"""Raised when a build of an earlier version can no longer be read."""

_ROOM = 1 << 20
"""Bytes under which a disk counts as full: tantivy does not say why a write failed."""

Opened = TypeVar("Opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a build is made of; ``created`` is ISO 8601, UTC."""

    format: int
    model: str
    dimension: int
    chunks: int
    sheets: int
    fingerprint: str
    created: str


@contextmanager
def writing(lock: Path) -> Iterator[None]:
    """Hold ``lock`` alone; the kernel lets go of it however the process ends.

    Raises:
        HomeBusy: another process holds it.
        DiskFull: no room is left, for the lock or for what is written under it.
    """
    with full_disk_told(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeBusy from None
            yield


@contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Turn a write that failed for want of room into ``DiskFull``."""
    try:
        yield
    except (OSError, ValueError) as error:  # tantivy raises ValueError when its writer dies
        told = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        if told or _free(path) < _ROOM:
            raise DiskFull from error
        raise


def _free(path: Path) -> int:
    """Bytes left where ``path`` is, or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def current(folder: Path) -> str | None:
    """Return the id of the build to read, or None before the first."""
    try:
        return (folder / "current").read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None


def path_of(folder: Path, build: str) -> Path:
    return folder / "builds" / build


def swap(folder: Path, build: str) -> None:
    """Make ``build`` the one to read, after all of it has reached the disk."""
    for path in sorted(path_of(folder, build).rglob("*")):
        _sync(path)
    _sync(path_of(folder, build))
    _sync(folder / "builds")
    aside = folder / "current.new"
    aside.write_text(build, "utf-8")
    _sync(aside)
    aside.replace(folder / "current")
    _sync(folder)


def prune(folder: Path) -> None:
    """Remove every build but the current one: replaced, or cut short by a kill.

    A reader that has an older build open keeps its files until it closes them.
    """
    kept = current(folder)
    builds = folder / "builds"
    for path in builds.iterdir() if builds.exists() else ():
        if path.name != kept:
            shutil.rmtree(path, ignore_errors=True)  # a file still in use goes next time


def write_metadata(path: Path, metadata: Metadata) -> None:
    (path / "metadata.json").write_text(json.dumps(asdict(metadata), indent=1), "utf-8")


def read_metadata(path: Path) -> Metadata:
    """Return what the build at ``path`` is made of.

    Raises:
        IndexIncompatible: another version wrote it, or it is damaged.
        FileNotFoundError: the build was replaced meanwhile.
    """
    with damage_told():
        values = json.loads((path / "metadata.json").read_text("utf-8"))
        if values["format"] != FORMAT:
            raise IndexIncompatible(
                "L'index vient d'une autre version d'Albert : lancez « albert index build »."
            )
        return Metadata(**values)


@contextmanager
def damage_told() -> Iterator[None]:
    """Turn what readers of damaged files raise into ``IndexIncompatible``."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise IndexIncompatible("L'index est abîmé : lancez « albert index build ».") from error


def installed(folder: Path) -> Metadata | None:
    """Return what the current build is made of, or None where there is none that can be read."""
    try:
        return open_current(folder, read_metadata)
    except (IndexNotFound, IndexIncompatible):
        return None


def open_current(folder: Path, opener: Callable[[Path], Opened]) -> Opened:
    """Open the current build with ``opener``, again if it is replaced in between.

    Raises:
        IndexNotFound: nothing was built, or what was built is gone.
    """
    tried: set[str] = set()
    while (build := current(folder)) and build not in tried:
        tried.add(build)
        try:
            return opener(path_of(folder, build))
        except FileNotFoundError:
            continue
    raise IndexNotFound


def _sync(path: Path) -> None:
    """Wait until ``path``, a file or a directory, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
