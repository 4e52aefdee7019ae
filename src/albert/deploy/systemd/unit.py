"""A unit file: its sections, and how words are written in one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

MARK = "# Écrit par « albert deploy systemd » : ce qui y est changé se perd."
"""The first line of each file that is ours. An operator's own changes go in drop-ins, which
``systemctl edit`` makes beside it."""

Option = tuple[str, str]
Sections = Mapping[str, Sequence[Option]]

_PLAIN = re.compile(r"[A-Za-z0-9_@:,./+=%$-]+")


def text(sections: Sections) -> str:
    """Return the text of a unit file."""
    parts = [MARK + "\n"]
    for name, options in sections.items():
        parts.append(f"\n[{name}]\n")
        parts += [f"{option}={value}\n" for option, value in options]
    return "".join(parts)


def command(words: Iterable[str]) -> str:
    """Return a command line that systemd splits back into these words, none of them expanded."""
    return " ".join(_quoted(plain(word).replace("$", "$$")) for word in words)


def path(value: str) -> str:
    """Return a path for an option that takes a list of them."""
    return _quoted(plain(value))


def plain(value: str) -> str:
    """Return a text in which systemd finds nothing to replace."""
    return value.replace("%", "%%")


def _quoted(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
