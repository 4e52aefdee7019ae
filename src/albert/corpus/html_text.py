"""The text of an HTML element on one line, and of a table as Markdown rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lxml.html import HtmlElement

from albert.corpus.markdown import Cell, table
from albert.corpus.text import lowered, normalise, raised

HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = frozenset(HEADINGS) | {
    *("address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div"),
    *("dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html"),
    *("li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "td"),
    *("tfoot", "th", "thead", "tr", "ul"),
}
SILENT = frozenset({"script", "style", "template", "noscript", "iframe", "img", "svg"})
STRONG = frozenset({"strong", "b"})
_MAX_SPAN = 100


def flat_text(element: HtmlElement) -> str:
    """Return an element's text on one line; blocks are set apart by a space."""
    return normalise("".join(pieces(element)))


def pieces(element: HtmlElement) -> Iterator[str]:
    """Yield an element's text in order; exponents keep their height."""
    tag = element.tag
    if not isinstance(tag, str) or tag in SILENT:
        return
    if tag in ("sup", "sub"):
        yield (raised if tag == "sup" else lowered)(element.text_content())
        return
    edge = " " if tag in BLOCKS or tag == "br" else ""
    yield edge + ("• " if tag == "li" else "") + (element.text or "")
    for child in element:
        yield from pieces(child)
        yield child.tail or ""
    yield edge


def table_lines(element: HtmlElement) -> list[str]:
    """Return a table's caption, then its rows; a table in a cell is read as its text."""
    caption = [text for c in element.findall("caption") if (text := flat_text(c))]
    headers: list[list[Cell]] = []
    rows: list[list[Cell]] = []
    for part in (element, *(e for e in element if e.tag in ("thead", "tbody", "tfoot"))):
        for row in part.findall("tr"):
            cells = [e for e in row if e.tag in ("td", "th")]
            heads = part.tag == "thead" or (not rows and _is_header(cells))
            (headers if heads else rows).append([_cell(e) for e in cells])
    if not any(cell.text for row in (*headers, *rows) for cell in row):
        return caption
    return caption + table(headers, rows)


def _cell(element: HtmlElement) -> Cell:
    return Cell(flat_text(element), _span(element, "colspan"), _span(element, "rowspan"))


def _span(element: HtmlElement, name: str) -> int:
    value = element.get(name) or "1"
    return min(max(int(value), 1), _MAX_SPAN) if value.isdecimal() else 1


def _is_header(cells: Sequence[HtmlElement]) -> bool:
    """Whether a first row is one of titles: header cells, bold text, or an empty corner."""
    told = [cell for cell in cells if flat_text(cell)]
    if len(told) < 2:
        return False
    corner = told == list(cells[1:])
    return corner or all(cell.tag == "th" or _is_bold(cell) for cell in told)


def _is_bold(cell: HtmlElement) -> bool:
    bold = "".join(flat_text(e) for e in cell.iter(*STRONG))
    return bold.replace(" ", "") == flat_text(cell).replace(" ", "")
