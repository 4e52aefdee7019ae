"""Cutting sheets into passages: structure first, then size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from albert.corpus.markdown import DITTO
from albert.corpus.sentences import sentences
from albert.domain.documents import Chunk, Section, Sheet

TOKENS = 220
"""Default size of a passage, in tokens of the embedding model, its breadcrumb included."""

MARGIN = 8
"""Tokens kept free in each passage for what the estimate may miss."""

_MARKS, _WIDE_MARKS = b"',.:;()|-/%?", "’«»€"


@lru_cache(maxsize=4096)
def estimate(text: str) -> int:
    """Return about how many tokens multilingual-e5 makes of ``text``, rather more than fewer.

    Least squares over 700 passages of service-public (residual: 7 tokens), plus one
    residual. ``tests/integration/test_token_estimate.py`` holds it against the
    model's own ``token_count``.
    """
    encoded = text.encode()  # to delete bytes is the fastest way to count several of them
    marks = len(encoded) - len(encoded.translate(None, _MARKS))
    if len(encoded) != len(text):
        marks += sum(map(text.count, _WIDE_MARKS))
    return ceil(0.125 * len(text) + 0.6 * text.count(" ") + marks + 2)


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never cut: a sentence, a list item, a table row, or rows joined by a span."""

    text: str
    tokens: int
    lead: str = ""
    """What must be said again before this unit where a passage starts with it."""
    glued: bool = False
    """Whether it must stand with the unit that follows: a table's header, a "…:"."""


def chunk_sheet(sheet: Sheet, *, tokens: int = TOKENS) -> list[Chunk]:
    """Return the passages of a sheet, in reading order.

    Joined, their texts are the sheet's introduction and sections again but for
    white space. Only a sentence, an item or a row longer than ``tokens`` by
    itself makes a passage longer than that.
    """
    chunks: list[Chunk] = []
    seen: Counter[str] = Counter()
    for number, section in enumerate(pack(sheet, tokens=tokens)):
        for text, lead in _pieces(sheet.title, section, tokens):
            chunk = Chunk(
                sheet=sheet.id,
                source=sheet.source,
                title=sheet.title,
                url=f"{sheet.url}#{section.anchor}" if section.anchor else sheet.url,
                text=text,
                headings=section.headings,
                lead=lead,
                date=sheet.date,
                audiences=sheet.audiences,
                section=number,
            )
            copies = seen[chunk.id]
            seen[chunk.id] += 1
            chunks.append(replace(chunk, copy=copies) if copies else chunk)
    return chunks


def pack(sheet: Sheet, *, tokens: int = TOKENS) -> list[Section]:
    """Return the introduction and the sections, small neighbours under one heading joined.

    "À Paris" and "Ailleurs" with a line each make one passage of the heading above
    them, where their own headings begin their lines: a passage of ten words finds
    nothing, and is hardly understood. Chapters are never joined.
    """
    packed: list[Section] = []
    group: list[Section] = []
    for section in (Section(text=sheet.introduction), *sheet.sections):
        if group and not _joins(sheet.title, group, section, tokens):
            packed.append(_merged(group))
            group = []
        group.append(section)
    packed.append(_merged(group))
    return packed


def _joins(title: str, group: Sequence[Section], section: Section, tokens: int) -> bool:
    above = section.headings[:-1]
    first = group[0].headings
    if not above or section.opens != 1 or above not in (first, first[:-1]):
        return False
    if above != _above(group) and (len(group) > 1 or not group[0].opens):
        return False
    texts = [*group, section]
    room = tokens - estimate(" > ".join((title, *above))) - MARGIN
    sizes = [estimate(member.text) + estimate(member.headings[-1]) for member in texts]
    return max(sizes) <= tokens // 3 and sum(sizes) <= room


def _above(group: Sequence[Section]) -> tuple[str, ...]:
    return group[1].headings[:-1] if len(group) > 1 else group[0].headings


def _merged(group: Sequence[Section]) -> Section:
    if len(group) == 1:
        return group[0]
    above = _above(group)
    lines: list[str] = []
    for section in group:
        heading = " : ".join(section.headings[len(above) :])
        text = section.text
        if heading:
            text = (
                f"{heading} :\n{text}" if text.startswith(("- ", "| ")) else f"{heading} : {text}"
            )
        lines.append(text)
    opens = group[0].opens - (len(group[0].headings) - len(above))
    # The anchor of a case leads past the others: the whole page rather than a wrong place.
    anchor = group[0].anchor if group[0].headings == above else ""
    return Section(headings=above, opens=opens, text="\n".join(lines), anchor=anchor)


def _pieces(title: str, section: Section, tokens: int) -> Iterator[tuple[str, str]]:
    """Yield (text, lead) of each passage of a section, of about equal sizes."""
    if not section.text:
        return
    breadcrumb = estimate(" > ".join((title, *section.headings))) + MARGIN
    room = max(tokens - breadcrumb, tokens // 3)
    whole = estimate(section.text)
    if whole <= room:
        yield section.text, ""
        return
    units = list(_units(section.text.split("\n"), room))
    target = whole / ceil(whole / room)
    held: list[_Unit] = []
    for group in _groups(units):
        size = sum(unit.tokens for unit in group)
        used = sum(unit.tokens for unit in held) + (estimate(held[0].lead) if held else 0)
        if held and (used + size > room or used + size / 2 > target):
            yield _joined(held), held[0].lead
            held = []
        held += group
    yield _joined(held), held[0].lead


def _joined(units: Sequence[_Unit]) -> str:
    return "\n".join(unit.text for unit in units)


def _groups(units: Sequence[_Unit]) -> Iterator[list[_Unit]]:
    """Yield units with those they must stand beside."""
    group: list[_Unit] = []
    for unit in units:
        group.append(unit)
        if not unit.glued:
            yield group
            group = []
    if group:
        yield group


def _units(lines: Sequence[str], room: int) -> Iterator[_Unit]:
    """Read lines as units, the way ``albert.corpus.markdown`` writes them."""
    i, lead = 0, ""
    while i < len(lines):
        line = lines[i]
        if line.startswith("| ") and i + 1 < len(lines) and lines[i + 1].startswith("| ---"):
            end = _run(lines, i + 2, lambda text: text.startswith("| "))
            yield from _table(lines[i:end], lead, room)
        elif line.startswith(("- ", "  ")):  # nested in nothing, below an item without words
            end = _run(lines, i + 1, lambda text: text.startswith("  "))
            yield from _item(lines[i:end], lead, room)
        else:
            end = i + 1
            loose = line.startswith(("| ", "  "))  # a row or an item without its beginning
            pieces = [line] if loose or estimate(line) <= room else sentences(line)
            for piece in pieces:
                yield _Unit(piece, estimate(piece), glued=piece.endswith(":") and end < len(lines))
            lead = pieces[-1] if pieces[-1].endswith(":") else ""
        i = end


def _run(lines: Sequence[str], start: int, belongs: Callable[[str], bool]) -> int:
    while start < len(lines) and belongs(lines[start]):
        start += 1
    return start


def _item(lines: Sequence[str], lead: str, room: int) -> Iterator[_Unit]:
    """An item and those nested in it are one unit, unless they are too long together."""
    whole = "\n".join(lines)
    if estimate(whole) <= room:
        yield _Unit(whole, estimate(whole), lead)
        return
    for number, line in enumerate(lines):
        yield _Unit(
            line, estimate(line), lines[0].strip() if number and lines[0].endswith(":") else lead
        )


def _table(lines: Sequence[str], lead: str, room: int) -> Iterator[_Unit]:
    """The header stands with the first row, and is said again before any later one."""
    header = "\n".join(lines[:2])
    again = f"{lead}\n{header}" if lead else header
    yield _Unit(header, estimate(header), lead, glued=len(lines) > 2)
    rows: list[str] = []
    for line in lines[2:]:
        if rows and DITTO in line and estimate("\n".join((*rows, line))) <= room // 2:
            rows.append(line)
            continue
        if rows:
            yield _Unit("\n".join(rows), estimate("\n".join(rows)), again)
        rows = [line]
    if rows:
        yield _Unit("\n".join(rows), estimate("\n".join(rows)), again)
