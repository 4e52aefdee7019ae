"""Files put in their folders: what has not changed is left alone, what is no longer wanted goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from albert.deploy.files import put_whole
from albert.deploy.systemd.unit import MARK
from albert.domain.errors import DeploymentError
from albert.domain.mishaps import mishap

What = Literal["créé", "modifié", "retiré"]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a file."""

    path: Path
    what: What
    option: str
    """The one that says its folder."""
    text: str = field(default="", repr=False)
    mode: int = 0o600


def changes(
    folder: Path, wanted: Mapping[str, str], *, option: str, pattern: str, mode: int
) -> list[Change]:
    """Return what makes of ``folder`` what is wanted; of its other files, ours alone go.

    ``option`` is the one that says the folder, ``pattern`` that of the names that could be ours.

    Raises:
        DeploymentError: a file that is not ours has a name that is wanted.
        HomeError: one cannot be read.
    """
    found: list[Change] = []
    for name, text in wanted.items():
        path = folder / name
        have = _read(path, option)
        if have is not None and not have.startswith(MARK):
            raise DeploymentError(
                f"« {path} » existe et n'a pas été écrit par « albert deploy systemd » : "
                "déplacez-le, puis relancez."
            )
        if have != text or _mode(path) != mode:
            what: What = "créé" if have is None else "modifié"
            found.append(Change(path, what, option, text, mode))
    left = (path for path in sorted(folder.glob(pattern)) if path.name not in wanted)
    ours = (path for path in left if (_read(path, option) or "").startswith(MARK))
    return found + [Change(path, "retiré", option) for path in ours]


def put(change: Change) -> None:
    """Make a change.

    Raises:
        HomeError, DiskFull
    """
    if change.what == "retiré":
        try:
            change.path.unlink(missing_ok=True)
        except OSError as error:
            raise mishap(error, change.option) from error
    else:
        put_whole(change.path, change.text, change.option, mode=change.mode)


def _read(path: Path, option: str) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise mishap(error, option) from error


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
