"""The file of a backup: a zip of what pg_dump says, as it is, and of a manifest.

Anybody's tools read it: ``unzip -p FILE database.dump | pg_restore --list``.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from albert.api.database.backup.manifest import Manifest, read
from albert.domain.errors import BackupInvalid, HomeError

DUMP, MANIFEST = "database.dump", "manifest.json"
_PIECE = 1 << 20
_PART = ".albertdb-part"


class Writing:
    """A backup in the making, under another name until it is whole and on disk.

    Left by an exception it is gone; left by a kill it stays, and ``clear`` knows it by
    its lock, which nobody holds any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.parent / f".{path.name}{_PART}"

    def __enter__(self) -> Self:
        clear(self._path.parent)
        try:
            self._file = _locked(self._part)
        except FileExistsError:
            raise HomeError(
                f"Une autre sauvegarde écrit « {self._path} » : attendez sa fin, ou donnez un "
                "autre nom."
            ) from None
        if self._path.exists():  # looked at here, where no other backup can put it in place
            self._part.unlink()
            self._file.close()
            raise HomeError(f"« {self._path} » existe déjà : donnez un autre nom.")
        self._zip = ZipFile(self._file, "w", ZIP_STORED)  # pg_dump compresses already
        self._dump = self._zip.open(DUMP, "w", force_zip64=True)
        self._hash = hashlib.sha256()
        self.size = 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._part.unlink(missing_ok=True)  # in its place already, where all went well
        with suppress(OSError, ValueError):  # it is closed, or its disk is full
            self._dump.close()
        with suppress(OSError, ValueError):
            self._zip.close()
        with suppress(OSError):
            self._file.close()

    def write(self, piece: bytes) -> None:
        self._dump.write(piece)
        self._hash.update(piece)
        self.size += len(piece)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        """Put the file in its place, whole."""
        self._dump.close()
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=2))
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _locked(part: Path) -> IO[bytes]:
    """Make a file that ``clear`` leaves alone."""
    while True:
        file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another backup cleared it, between its making and its lock


def clear(folder: Path) -> None:
    """Remove what backups that were killed left in ``folder``."""
    for left in folder.glob(f".*{_PART}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def manifest_of(path: Path) -> Manifest:
    """Read what a backup says of itself, and nothing more.

    Raises:
        BackupInvalid: it is no backup of ours, or was cut short.
        OSError: it cannot be read.
    """
    with _opened(path) as file:
        return _manifest(file, path)


def verify(path: Path, tell: Callable[[int, int], None] = lambda _done, _of: None) -> Manifest:
    """Read a backup whole, and see that each byte is the one that was written.

    Raises:
        BackupInvalid: it is no backup of ours, was cut short, or was changed since.
        OSError: it cannot be read.
    """
    manifest = manifest_of(path)
    found, size = hashlib.sha256(), 0
    for piece in pieces(path):
        found.update(piece)
        size += len(piece)
        tell(size, manifest.size)
    if (size, found.hexdigest()) != (manifest.size, manifest.sha256):
        raise _changed(path)
    return manifest


def pieces(path: Path) -> Iterator[bytes]:
    """Read the dump of a backup, piece by piece.

    Raises:
        BackupInvalid, OSError
    """
    with _opened(path) as file, file.open(DUMP) as dump:
        while piece := dump.read(_PIECE):
            yield piece


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    if not path.exists():
        raise BackupInvalid(f"La sauvegarde « {path} » n'existe pas.")
    try:
        with path.open("rb") as raw:
            start = raw.read(5)
            raw.seek(0)
            try:
                file = ZipFile(raw)
            except BadZipFile:
                raise _no_backup(path, start) from None
            with file:
                yield file
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise _changed(path) from error  # the shapes of a zip whose bytes were changed
    except OSError as error:
        if error.errno == errno.EINVAL:  # its directory says a place that no file has
            raise _changed(path) from error
        raise


def _manifest(file: ZipFile, path: Path) -> Manifest:
    if sorted(file.namelist()) != [DUMP, MANIFEST]:
        raise BackupInvalid(f"« {path} » est un zip, mais pas une sauvegarde d'Albert.")
    return read(file.read(MANIFEST))


def _no_backup(path: Path, start: bytes) -> BackupInvalid:
    if start[:4] == b"PK\x03\x04":
        return BackupInvalid(
            f"La sauvegarde « {path} » est coupée : il manque sa fin ; prenez-en une autre."
        )
    if start == b"PGDMP":
        return BackupInvalid(
            f"« {path} » vient de pg_dump, sans le relevé d'Albert : rendez-la par pg_restore, "
            "dans une base vide, puis lancez « albert db migrate »."
        )
    return BackupInvalid(f"« {path} » n'est pas une sauvegarde d'Albert.")


def _changed(path: Path) -> BackupInvalid:
    return BackupInvalid(
        f"La sauvegarde « {path} » est abîmée : elle n'est plus ce qui fut écrit ; prenez-en "
        "une autre."
    )
