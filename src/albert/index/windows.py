"""The words of sheets: BM25 over stretches of a sheet several passages long.

A passage is too short to hold all the words of a question: over stretches, plain
BM25 finds the right sheet far more often (``docs/decisions/0003``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from albert.index.analysis import terms
from albert.index.words import HEAP, MERE_ROUNDING, AnalysedChunk

if TYPE_CHECKING:
    import tantivy

WINDOW = 350
"""Terms of a stretch, about 4,000 characters."""


class WindowsWriter:
    """Adds chunks, sheet by sheet, to a new index in ``folder``."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        folder.mkdir()
        self._document = tantivy.Document
        self._writer = tantivy.Index(_schema(), path=str(folder)).writer(HEAP, 1)
        self._sheet, self._headings = -1, ""
        self._window: list[str] = []
        self._terms = 0

    def add(self, sheet: int, chunk: AnalysedChunk) -> None:
        """Add a chunk of the sheet of that row to the open stretch, or begin another."""
        size = chunk.text.count(" ") + 1
        if sheet != self._sheet or self._terms + size > WINDOW:
            self._flush()
            self._window, self._terms, self._headings = [chunk.title], 0, ""
        if chunk.headings != self._headings:
            self._window.append(chunk.headings)
        self._window.append(chunk.text)
        self._terms += size
        self._sheet, self._headings = sheet, chunk.headings

    def finish(self) -> None:
        self._flush()
        self._writer.commit()
        self._writer.wait_merging_threads()

    def _flush(self) -> None:
        if self._window:
            body = " ".join(self._window)
            self._writer.add_document(self._document(row=self._sheet, body=body))


class Windows:
    """Reads an index of stretches; safe to share between threads."""

    def __init__(self, folder: Path, longest_query: int) -> None:
        import tantivy

        if not folder.is_dir():
            raise FileNotFoundError(folder)
        self._tantivy = tantivy
        index = tantivy.Index(_schema(), path=str(folder))
        self._schema, self._searcher = index.schema, index.searcher()
        self._longest = longest_query

    def rank(self, query: str, limit: int, admitted: NDArray[np.bool_]) -> list[tuple[float, int]]:
        """Return ``(score, sheet row)`` by each sheet's best stretch, with all ties of the last."""
        wanted = list(dict.fromkeys(terms(query)))[: self._longest]
        if not wanted or limit < 1:
            return []
        kind, occur = self._tantivy.Query, self._tantivy.Occur
        compiled = kind.boolean_query(
            [(occur.Should, kind.term_query(self._schema, "body", t, "freq")) for t in wanted]
        )
        asked = 3 * limit
        while True:
            hits = self._searcher.search(compiled, asked, count=False).hits
            rows = self._searcher.fast_field_values("row", [address for _, address in hits])
            best: dict[int, float] = {}
            for (score, _), row in zip(hits, rows, strict=True):
                if admitted[int(row or 0)]:
                    best.setdefault(int(row or 0), round(float(score), MERE_ROUNDING))
            scores = list(best.values())
            last = round(float(hits[-1][0]), MERE_ROUNDING) if hits else 0.0
            if len(hits) < asked or (len(scores) >= limit and last < scores[limit - 1]):
                return [(score, row) for row, score in best.items()]
            asked *= 3


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True)
    builder.add_text_field("body", tokenizer_name="whitespace", index_option="freq")
    return builder.build()
