"""HTML fragments as headings, Markdown lines and links, without a word lost or welded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lxml import html as lxml_html
from lxml.etree import ParserError
from lxml.html import HtmlElement

from albert.corpus.html_text import BLOCKS, HEADINGS, SILENT, STRONG, flat_text, pieces, table_lines
from albert.corpus.markdown import item
from albert.corpus.text import normalise
from albert.domain.documents import Link, Section

_NOTES = frozenset({"fr-highlight", "fr-callout"})


@dataclass(slots=True)
class _Heading:
    level: int
    title: str
    anchor: str
    seen: bool = False
    orphans: list[str] = field(default_factory=list)
    """Titles below it that had no text, as long as it has none itself."""


@dataclass(slots=True)
class _Stretch:
    headings: tuple[str, ...]
    opens: int
    anchor: str
    lines: list[str] = field(default_factory=list)


class Outline:
    """Gathers lines under the headings that are open at the time.

    A heading that closes without a line under it becomes a line of what encloses
    it: it is neither lost nor an empty section.
    """

    def __init__(self) -> None:
        self._open: list[_Heading] = []
        self._stretches: list[_Stretch] = []

    @property
    def level(self) -> int:
        """The deepest open heading's level, 0 where there is none."""
        return self._open[-1].level if self._open else 0

    def open(self, level: int, title: str, anchor: str = "") -> None:
        """Open a heading, after closing those of its level and below."""
        self.close(level)
        if title:
            self._open.append(_Heading(level, title, anchor))

    def close(self, level: int) -> None:
        """Close the headings of ``level`` and below."""
        while self._open and self._open[-1].level >= level:
            heading = self._open.pop()
            if heading.seen:
                continue
            titles = [heading.title, *heading.orphans]
            if self._open and not self._open[-1].seen:
                self._open[-1].orphans.extend(titles)
            else:
                self.add(titles)

    def add(self, lines: Sequence[str]) -> None:
        """Add lines under the open headings."""
        for depth, heading in enumerate(self._open, 1):
            if heading.orphans:
                orphans, heading.orphans = heading.orphans, []
                self._put(depth, orphans)
        self._put(len(self._open), lines)

    def _put(self, depth: int, lines: Sequence[str]) -> None:
        above = self._open[:depth]
        path = tuple(heading.title for heading in above)
        fresh = sum(not heading.seen for heading in above)
        for heading in above:
            heading.seen = True
        if fresh or not self._stretches or self._stretches[-1].headings != path:
            anchor = next((h.anchor for h in reversed(above) if h.anchor), "")
            self._stretches.append(_Stretch(path, fresh, anchor))
        self._stretches[-1].lines.extend(lines)

    def sections(self) -> tuple[Section, ...]:
        """Close everything and return what was gathered, in order."""
        self.close(0)
        return tuple(
            Section(headings=s.headings, opens=s.opens, anchor=s.anchor, text="\n".join(s.lines))
            for s in self._stretches
        )


def parse(fragment: str) -> HtmlElement | None:
    """Return the fragment's tree under one ``div``, or ``None`` if there is nothing in it."""
    if not fragment.strip():
        return None
    try:
        return lxml_html.fragment_fromstring(fragment, create_parent="div")
    except ParserError:
        return None


def outline(root: HtmlElement, into: Outline) -> None:
    """Add the text of ``root`` to an outline: lines, and the headings inside it."""
    walker = _Walker(into)
    walker.block(root)


def lines(fragment: str) -> list[str]:
    """Return a fragment's text as Markdown lines; its headings are lines too."""
    root = parse(fragment)
    if root is None:
        return []
    gathered = Outline()
    walker = _Walker(gathered, flat=True)
    walker.block(root)
    return [line for section in gathered.sections() for line in section.text.split("\n")]


def links(root: HtmlElement) -> Iterator[Link]:
    """Yield the web addresses that the text points to, with the words that carry them."""
    for anchor in root.iter("a"):
        target = (anchor.get("href") or "").strip()
        if target.startswith(("https://", "http://")):
            yield Link(relation="web", target=target, title=flat_text(anchor))


class _Walker:
    """Walks a tree in reading order; the text of a block is gathered, then becomes a line."""

    def __init__(self, into: Outline, *, flat: bool = False) -> None:
        self._outline = into
        self._flat = flat
        self._base = 0
        self._depth = -1
        self._bullet = False
        self._text: list[str] = []
        self._note: list[str] | None = None

    def block(self, element: HtmlElement) -> None:
        self._flush()
        self._inside(element)
        self._flush()

    def _inside(self, element: HtmlElement) -> None:
        self._text.append(element.text or "")
        for child in element:
            self._child(child)
            self._text.append(child.tail or "")

    def _child(self, element: HtmlElement) -> None:
        tag = element.tag
        if not isinstance(tag, str) or tag in SILENT:
            return
        if tag in ("sup", "sub"):
            self._text.extend(pieces(element))
        elif tag == "br":
            self._flush()
        elif tag in BLOCKS:
            self._block(element, tag)
        else:
            self._inside(element)

    def _block(self, element: HtmlElement, tag: str) -> None:
        names = (element.get("class") or "").split()
        if tag in HEADINGS and not self._flat and self._depth < 0:
            self._heading(element, HEADINGS[tag])
        elif tag in ("ul", "ol"):
            self._list(element)
        elif tag == "li":
            self._item(element)
        elif tag == "table":
            self._flush()
            self._emit(table_lines(element))
        elif "fr-accordion" in names and not self._flat and self._depth < 0:
            self._accordion(element)
        elif _NOTES.intersection(names) and self._note is None:
            self._titled_note(element)
        else:
            self.block(element)

    def _heading(self, element: HtmlElement, level: int) -> None:
        self._flush()
        self._outline.open(self._base + level, flat_text(element), element.get("id") or "")

    def _accordion(self, element: HtmlElement) -> None:
        """Its title is a heading below those that are open, and ends with it."""
        self._flush()
        base, outer = self._base, self._outline.level
        self._base = outer
        self.block(element)
        self._outline.close(outer + 1)
        self._base = base

    def _list(self, element: HtmlElement) -> None:
        self._flush()
        self._bullet = False
        self._depth += 1
        self.block(element)
        self._depth -= 1
        self._bullet = (
            False  # what follows in the item that holds this list goes on, it does not begin
        )

    def _item(self, element: HtmlElement) -> None:
        self._flush()
        self._bullet = True
        self.block(element)
        self._bullet = False

    def _titled_note(self, element: HtmlElement) -> None:
        """A note ("À savoir !") is one paragraph with its title, so that they stay together."""
        self._flush()
        flat, self._flat, self._note = self._flat, True, []
        self.block(element)
        gathered, self._note, self._flat = self._note, None, flat
        if self._depth < 0 and len(gathered) > 1 and _is_title(gathered[0], element):
            title, first = gathered[0], gathered[1]
            if not first.startswith(("- ", "| ")):
                mark = " " if title.endswith((":", "!", "?", ".", "…")) else " : "
                gathered[:2] = [title + mark + first]
        self._emit(gathered)

    def _flush(self) -> None:
        text = normalise("".join(self._text))
        self._text.clear()
        if not text:
            return
        if self._depth >= 0 and self._bullet:
            self._bullet = False
            text = item(text, self._depth)
        elif self._depth >= 0:
            text = "  " * (self._depth + 1) + text
        self._emit([text])

    def _emit(self, made: list[str]) -> None:
        if self._note is not None:
            self._note.extend(made)
        elif made:
            self._outline.add(made)


def _is_title(line: str, note: HtmlElement) -> bool:
    for element in note.iter():
        if element.tag in HEADINGS or element.tag in STRONG:
            return flat_text(element) == line
    return False
