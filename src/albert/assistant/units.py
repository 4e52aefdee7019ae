"""What can be quoted: the sentences, list items and table rows of a passage, word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from albert.corpus.sentences import sentences
from albert.domain.documents import Chunk

_HEADING = 60
"""Characters under which a line without a final point is a heading."""
_ITEMS_SHOWN = 6
"""Items quoted with the sentence that announces them."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence, item or row, with its line in the passage and its place in that line."""

    text: str
    line: int
    place: int = 0

    @property
    def announces(self) -> bool:
        """Whether it says nothing without what follows ("Il faut fournir :")."""
        return self.text.endswith(":")

    @property
    def answers(self) -> bool:
        """Whether it may answer by itself: neither a question nor a bare heading."""
        if is_listed(self.text):
            return True
        ended = self.text.endswith((".", "!", "…", ":", ";", ")"))
        return not self.text.endswith("?") and (ended or len(self.text) >= _HEADING)


def units(chunk: Chunk) -> list[Unit]:
    """Return what a passage says, in order.

    A table's header and rule are not units, nor is a sentence that announces what the
    passage does not hold (a simulator, a form).
    """
    found: list[Unit] = []
    lines = chunk.text.split("\n")
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith("| ---") or below.startswith("| ---"):
            continue
        if is_listed(line):
            found.append(Unit(line.strip(), number))
        else:
            said = [Unit(text, number, place) for place, text in enumerate(sentences(line))]
            found += said if is_listed(below) or not said[-1].announces else said[:-1]
    return found


def is_listed(line: str) -> bool:
    """Whether a line is a list item, a nested line or a table row."""
    return line.startswith(("- ", "  ", "| "))


def quote(chunk: Chunk, chosen: Sequence[Unit]) -> str:
    """Return the chosen units as they stand in the passage, in its order.

    What is needed to understand one comes with it: the sentence that announces a
    list, the header of a table, the items that a sentence announces. What was left
    out between two of them is marked "[…]".
    """
    everything = units(chunk)
    keep = sorted({i for unit in chosen for i in _with_context(everything, everything.index(unit))})
    lines = chunk.text.split("\n")
    parts: list[str] = []
    before = -1
    for i in keep:
        unit = everything[i]
        text = lines[unit.line] if is_listed(lines[unit.line]) else unit.text
        if before >= 0 and i != before + 1 and everything[before].line != unit.line:
            parts.append("[…]")
        elif before >= 0 and i != before + 1:
            text = f"[…] {text}"
        header = _header(chunk, lines, unit.line)
        if header and header not in parts:
            parts.append(header)
        same_line = before >= 0 and everything[before].line == unit.line
        if same_line:
            parts[-1] = f"{parts[-1]} {text}"
        else:
            parts.append(text)
        before = i
    return "\n".join(parts)


def _with_context(everything: Sequence[Unit], i: int) -> Iterator[int]:
    unit = everything[i]
    yield i
    if unit.announces:
        yield from range(i + 1, min(i + 1 + _ITEMS_SHOWN, _list_end(everything, i + 1)))
    elif unit.text.startswith("- "):
        first = i
        while first > 0 and everything[first - 1].text.startswith("- "):
            first -= 1
        if first > 0 and everything[first - 1].announces:
            yield first - 1


def _list_end(everything: Sequence[Unit], i: int) -> int:
    while i < len(everything) and everything[i].text.startswith(("- ", "| ")):
        i += 1
    return i


def _header(chunk: Chunk, lines: Sequence[str], number: int) -> str:
    """Return the header and rule of the table that a row belongs to."""
    if not lines[number].startswith("| "):
        return ""
    while number > 0 and lines[number - 1].startswith("| "):
        number -= 1
    if number + 1 < len(lines) and lines[number + 1].startswith("| ---"):
        return "\n".join(lines[number : number + 2])
    lead = chunk.lead.split("\n")
    return "\n".join(lead[-2:]) if lead[-1].startswith("| ---") else ""
