"""What the units of a machine stand on: the program, its user, its folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from albert.settings import Settings

HOME = "/var/lib/albert"
"""The data folder where the environment says none."""

_PEOPLE = ("/home", "/root", "/run/user")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One machine's."""

    program: str
    """Path of ``albert``, as its virtual environment has it."""
    user: str
    config: Path
    """Folder of the files of variables."""
    values: Mapping[str, str] = field(repr=False)
    """All variables of the environment, ``ALBERT_HOME`` included."""
    settings: Settings = field(repr=False)
    reads: tuple[str, ...] = ()
    """Paths of the installation itself: Python, and our own code."""

    @property
    def home(self) -> str:
        return self.values["ALBERT_HOME"]

    @property
    def storage(self) -> str:
        """Where models lie."""
        return self.values.get("STORAGE_PATH") or f"{self.home}/models"

    @property
    def drain(self) -> int:
        """Whole seconds given to running answers."""
        return int(self.settings.drain_seconds) + 1

    def in_homes(self, *needs: str) -> bool:
        """Whether the installation, or one of these paths, is in people's own folders."""
        return any(
            Path(one).is_relative_to(people)
            for one in (self.program, *self.reads, *needs)
            for people in _PEOPLE
        )

    def in_home(self, *needs: str) -> list[str]:
        """Return those of these paths, and of the installation, that are in the data folder."""
        return [one for one in (*self.reads, *needs) if Path(one).is_relative_to(self.home)]


def state(folder: str, place: str = "/var/lib/") -> str:
    """Return the name under which systemd makes and owns a folder of ``place``, or nothing."""
    name = folder.removeprefix(place)
    return name if name != folder and "/" not in name else ""
