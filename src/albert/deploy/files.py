"""Files put in place whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from albert.domain.mishaps import mishap


def put_whole(path: Path, text: str, option: str, *, mode: int = 0o600) -> None:
    """Write a file in one step, after it reached the disk; its folder is made if it is not there.

    ``option`` is the one that says the place: it is told where that cannot be written.

    Raises:
        HomeError, DiskFull
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise mishap(error, option) from error
