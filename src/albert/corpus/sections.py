"""Writing a sheet's sections in reading order, so that no word is lost and none counted twice."""

from __future__ import annotations

from albert.domain.documents import Section


class SectionWriter:
    """Collects lines under the headings that are open.

    A heading under which nothing is written is not lost: it becomes a line of
    the section around it.
    """

    def __init__(self) -> None:
        self._path: list[str] = []
        self._unused = 0  # how many of the last open headings have no line below them yet
        self._done: list[tuple[tuple[str, ...], int, str, list[str]]] = []
        self._lines: list[str] | None = None  # of the section being written
        self._anchors = [""]  # of the open headings: one without its own has that above it

    def open(self, heading: str, anchor: str = "") -> None:
        """Go one heading deeper."""
        self._path.append(heading)
        self._unused += 1
        self._lines = None
        self._anchors.append(anchor or self._anchors[-1])

    def close(self) -> None:
        """Leave the deepest heading."""
        heading = self._path.pop()
        self._anchors.pop()
        self._lines = None
        if self._unused:
            self._unused -= 1
            self.line(heading)

    def line(self, text: str) -> None:
        """Add a paragraph, an item or a row to the open section; blank ones are dropped."""
        if not text:
            return
        if self._lines is None:
            self._lines = []
            self._done.append((tuple(self._path), self._unused, self._anchors[-1], self._lines))
            self._unused = 0
        self._lines.append(text)

    def sections(self) -> tuple[Section, ...]:
        """Return what was written, in order; call it when every heading is closed."""
        return tuple(
            Section(headings=headings, opens=opens, anchor=anchor, text="\n".join(lines))
            for headings, opens, anchor, lines in self._done
        )
