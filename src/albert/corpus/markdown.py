"""Sections as Markdown lines: a line is a paragraph, a list item, or a row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DITTO = "〃"
"""Stands in a table where a cell of several rows or columns goes on."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell, on one line, and how many columns and rows it spans."""

    text: str
    columns: int = 1
    rows: int = 1


def item(text: str, depth: int = 0, mark: str = "-") -> str:
    """Return a list item, two spaces deeper for each level."""
    return f"{'  ' * depth}{mark} {text}"


def table(headers: Sequence[Sequence[Cell]], rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Return a table as Markdown lines: one header line, its rule, a line a row.

    Several header rows are joined column by column into one. Each cell's text
    stands once; where its span goes on, ``DITTO``. A table without a header row
    gets an empty one, which Markdown asks for. One without any text is no table.
    """
    top, body = _grid(headers), _grid(rows)
    width = max((len(row) for row in (*top, *body)), default=0)
    if not any(cell.text for row in (*headers, *rows) for cell in row):
        return []
    head = [_joined([row[i] for row in top if i < len(row)]) for i in range(width)]
    lines = [_line(head, width), "|" + " --- |" * width]
    return lines + [_line(row, width) for row in body]


def _joined(cells: Sequence[str]) -> str:
    own = [cell for cell in cells if cell not in ("", DITTO)]
    return " – ".join(own) if own else (DITTO if DITTO in cells else "")


def _line(cells: Sequence[str], width: int) -> str:
    padded = [*cells, *[""] * (width - len(cells))]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in padded) + " |"


def _grid(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Place cells on a grid, as HTML does: a cell that spans rows pushes those below aside."""
    taken: set[tuple[int, int]] = set()
    grid: list[list[str]] = []
    for y, row in enumerate(rows):
        line: dict[int, str] = {x: DITTO for (r, x) in taken if r == y}
        x = 0
        for cell in row:
            while x in line:
                x += 1
            for dx in range(max(cell.columns, 1)):
                line[x + dx] = DITTO if dx else cell.text
                taken.update((y + dy, x + dx) for dy in range(1, max(cell.rows, 1)))
            x += max(cell.columns, 1)
        grid.append([line.get(i, "") for i in range(max(line, default=-1) + 1)])
    return grid
