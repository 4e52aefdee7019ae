"""What a check found, in a sentence, and what to do of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing seen. ``said`` and ``remedy`` are French, and hold no secret."""

    level: Level
    said: str
    remedy: str = ""


def ok(said: str) -> Finding:
    return Finding("ok", said)


def warning(said: str, remedy: str = "") -> Finding:
    return Finding("warning", said, remedy)


def error(said: str, remedy: str = "") -> Finding:
    return Finding("error", said, remedy)
