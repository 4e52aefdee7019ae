"""The words of a build: BM25 over the terms of ``albert.index.analysis``, kept by tantivy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from albert.domain.documents import Chunk
from albert.index.analysis import terms
from albert.index.contract import EVERYTHING, Filter
from albert.index.payload import Mask

if TYPE_CHECKING:
    import tantivy

EVERY_AUDIENCE = "*"
"""Stands for the audience of a chunk that names none, and is admitted for all."""

HEAP = 100_000_000
_MOST = 0.4
"""Share of the chunks above which a filter is applied after ranking (measured, 40,000)."""
MERE_ROUNDING = 4
"""Decimals of a score that count: beyond, tantivy's sums depend on the order it visits terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosts:
    """Weight of each field in the BM25 sum; a field of weight 0 costs nothing.

    ``body`` holds title, headings and text together. Titles on their own score
    too high, being short and the same on every chunk of a sheet: on the
    development questions any weight above 0 loses (``docs/decisions/0003``).
    """

    body: float = 1.0
    title: float = 0.0
    headings: float = 0.0


class AnalysedChunk(NamedTuple):
    """The terms of a chunk's parts, joined by spaces."""

    title: str
    headings: str
    text: str


class WordsWriter:
    """Adds chunks, row by row, to a new index in ``folder``."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        folder.mkdir()
        self._document = tantivy.Document
        self._writer = tantivy.Index(_schema(), path=str(folder)).writer(HEAP, 1)
        self._terms_of: dict[tuple[str, ...], str] = {}

    def add(self, row: int, chunk: Chunk) -> AnalysedChunk:
        """Index ``chunk`` as ``row``; chunks of one sheet are best added in a row."""
        title, headings = self._heading((chunk.title,)), self._heading(chunk.headings)
        text = " ".join(terms(f"{chunk.lead}\n{chunk.text}" if chunk.lead else chunk.text))
        self._writer.add_document(
            self._document(
                row=row,
                body=f"{title} {headings} {text}",
                title=title,
                headings=headings,
                source=chunk.source,
                sheet=chunk.sheet,
                audience=list(chunk.audiences) or [EVERY_AUDIENCE],
            )
        )
        return AnalysedChunk(title, headings, text)

    def finish(self) -> None:
        """Write what was added; the index can be read from then on."""
        self._writer.commit()
        self._writer.wait_merging_threads()

    def _heading(self, parts: tuple[str, ...]) -> str:
        found = self._terms_of.get(parts)
        if found is None:
            if len(self._terms_of) > 1000:  # headings come back within a sheet, seldom beyond
                self._terms_of.clear()
            found = self._terms_of[parts] = " ".join(terms(" ".join(parts)))
        return found


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True)
    for name in ("body", "title", "headings"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    for name in ("source", "sheet", "audience"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    return builder.build()


class Words:
    """Reads an index; safe to share between threads."""

    def __init__(self, folder: Path, boosts: Boosts, longest_query: int) -> None:
        import tantivy

        if not folder.is_dir():
            raise FileNotFoundError(folder)
        self._tantivy = tantivy
        index = tantivy.Index(_schema(), path=str(folder))
        self._schema = index.schema
        self._searcher = index.searcher()
        self._boosts = [(name, boost) for name, boost in asdict(boosts).items() if boost]
        self._longest = longest_query

    def rank(
        self, query: str, limit: int, where: Filter, admitted: Mask
    ) -> list[tuple[float, int]]:
        """Return ``(score, row)`` of the best chunks, with all that tie with the last.

        ``admitted`` is what ``where`` admits, by row. Where that is most of the
        corpus it is faster to rank without the filter, look at some more, and ask
        again with it only when too few are left.
        """
        wanted = list(dict.fromkeys(terms(query)))[: self._longest]
        if not wanted or limit < 1:
            return []
        share = float(admitted.mean()) if len(admitted) else 0.0
        found = None
        if share > _MOST:
            asked = int(1.2 * limit / share) + 16
            found = self._search(self._compile(wanted, EVERYTHING), limit, asked, admitted)
        asked = limit + 16
        while found is None:
            found = self._search(self._compile(wanted, where), limit, asked, admitted)
            asked *= 2
        return found

    def _search(
        self, query: tantivy.Query, limit: int, asked: int, admitted: Mask
    ) -> list[tuple[float, int]] | None:
        """Look at the best ``asked``; None if that is too few to be sure of the best ``limit``."""
        hits = self._searcher.search(query, asked, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        ranked = [
            (round(float(score), MERE_ROUNDING), int(row or 0))
            for (score, _), row in zip(hits, rows, strict=True)
        ]
        kept = [pair for pair in ranked if admitted[pair[1]]]
        if len(hits) < asked:
            return kept
        return kept if len(kept) >= limit and ranked[-1][0] < kept[limit - 1][0] else None

    def _compile(self, wanted: Sequence[str], where: Filter) -> tantivy.Query:
        query, occur = self._tantivy.Query, self._tantivy.Occur
        words = []
        for name, boost in self._boosts:
            for term in wanted:
                found = query.term_query(self._schema, name, term, "freq")
                words.append((occur.Should, query.boost_query(found, boost)))
        clauses: list[tuple[Any, tantivy.Query]] = [(occur.Must, query.boolean_query(words))]
        restrictions: tuple[tuple[str, Collection[str]], ...] = (
            ("source", where.sources),
            ("audience", where.audiences and {*where.audiences, EVERY_AUDIENCE}),
            ("sheet", where.sheets),
        )
        for name, values in restrictions:
            if values:
                clauses.append((occur.Must, query.const_score_query(self._any(name, values), 0.0)))
        if where.without_sheets:
            clauses.append((occur.MustNot, self._any("sheet", where.without_sheets)))
        return query.boolean_query(clauses) if len(clauses) > 1 else clauses[0][1]

    def _any(self, name: str, values: Collection[str]) -> tantivy.Query:
        return self._tantivy.Query.term_set_query(self._schema, name, sorted(values))
