"""The service's own secrets: made once, kept by their owner alone, compared in constant time."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from pathlib import Path

from albert.domain.errors import DiskFull, HomeError
from albert.domain.mishaps import reason

KEY_FILE = "api-key"
"""The command line's copy of the first administrator's token."""
SECRET_FILE = "secret-key"  # noqa: S105 — the name of a file
"""What signs sessions, where the settings give no secret."""
PREFIX = "albert-"
"""Of every API token: a leaked one is recognised."""


def digest_of(key: str) -> str:
    """Return what is kept of a key: SHA-256, in hex. Keys are random, so no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def opens(key: str, digest: str) -> bool:
    """Say whether ``key`` is the one that ``digest`` was made from, in constant time."""
    return hmac.compare_digest(digest_of(key), digest)


def new_key() -> str:
    """Return a random token of 32 bytes."""
    return PREFIX + secrets.token_urlsafe(32)


def ensure_key(folder: Path, name: str = KEY_FILE) -> tuple[str, bool]:
    """Return the key kept in ``folder``, made if there is none, and whether it was made now.

    Processes that start together agree on one key: the file appears whole, by a
    link that fails if another was first.

    Raises:
        DiskFull: there is no room for it.
        HomeError: others may read the key or replace it, or it cannot be read or written.
    """
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse(folder, 0o022, "700")
        created = not path.exists() and _create(path)
        return _read(path), created
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull from error
        raise HomeError(
            f"La clé {path} ne peut être ni lue ni écrite ({reason(error)})."
        ) from error


def _create(path: Path) -> bool:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        return False
    finally:
        Path(name).unlink()
    return True


def _read(path: Path) -> str:
    _refuse(path, 0o077, "600")
    key = path.read_text("ascii", errors="replace").strip()
    if not key.startswith(PREFIX) or not key.isascii():
        raise HomeError(
            f"Le fichier {path} ne contient pas une clé d'Albert : supprimez-le, puis relancez."
        )
    return key


def _refuse(path: Path, forbidden: int, mode: str) -> None:
    if stat.S_IMODE(path.stat().st_mode) & forbidden:
        raise HomeError(
            f"{path} est ouvert à d'autres utilisateurs : tapez « chmod {mode} {path} »."
        )
