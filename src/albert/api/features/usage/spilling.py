"""Rows that the database could not take, kept in files until it can."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import orjson

_log = logging.getLogger(__name__)

_WHOLE = ".jsonl"
_CLAIMED_SECONDS = 600.0
"""After which a file that somebody took to write it is taken for abandoned."""

Fields = tuple[object, ...]


class Spill:
    """A folder for our eyes only; nothing is there before something is put."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def any(self) -> bool:
        return self._folder.is_dir() and any(self._folder.iterdir())

    def put(self, rows: Sequence[Fields]) -> bool:
        """Keep rows, on the disk for sure; say whether there was room."""
        path = self._folder / f"{uuid4().hex}.part"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.writelines(orjson.dumps(row) + b"\n" for row in map(list, rows))
                file.flush()
                os.fsync(file.fileno())
            path.rename(path.with_suffix(_WHOLE))
        except OSError as error:
            _log.warning("no room for usage", extra={"action": "usage_spill", "kind": str(error)})
            path.unlink(missing_ok=True)
            return False
        return True

    def claim(self) -> list[Path]:
        """Take files that nobody else is writing to the database."""
        old = time.time() - _CLAIMED_SECONDS
        taken = []
        for path in sorted(self._folder.iterdir()):
            if path.suffix == _WHOLE or (path.suffix == ".taken" and path.stat().st_mtime < old):
                mine = path.with_name(f"{uuid4().hex}.taken")
                try:
                    path.rename(mine)
                    mine.touch()
                except FileNotFoundError:  # another worker was first
                    continue
                taken.append(mine)
        return taken

    def read(self, path: Path) -> list[Fields]:
        return [tuple(orjson.loads(line)) for line in path.read_bytes().splitlines()]
