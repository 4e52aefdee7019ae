"""What a build of the corpus read, made and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from albert.corpus.contract import Skipped
from albert.domain.documents import Sheet


@dataclass(slots=True)
class SourceReport:
    """The counts of one source; dates are the publisher's own (ISO 8601)."""

    source: str
    origin: str = ""
    sheets: int = 0
    chunks: int = 0
    institutions: int = 0
    over: int = 0
    """Passages longer than asked: a sentence, an item or a row that is never cut."""
    audiences: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    errors: list[tuple[str, str]] = field(default_factory=list)
    oldest: str = ""
    newest: str = ""

    def count(self, sheet: Sheet, chunks: int) -> None:
        self.sheets += 1
        self.chunks += chunks
        self.audiences.update(sheet.audiences or ("sans public déclaré",))
        self.kinds[sheet.kind or "sans genre"] += 1
        if sheet.date:
            self.newest = max(self.newest, sheet.date)
            self.oldest = min(self.oldest or sheet.date, sheet.date)

    def pass_over(self, skipped: Skipped) -> None:
        if skipped.error:
            self.errors.append((skipped.name, skipped.reason))
        else:
            self.skipped[skipped.reason] += 1

    def merge(self, other: SourceReport) -> None:
        """Add the counts of another part of the same source."""
        for name in ("sheets", "chunks", "institutions", "over"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("audiences", "kinds", "skipped"):
            getattr(self, name).update(getattr(other, name))
        self.errors += other.errors
        self.newest = max(self.newest, other.newest)
        self.oldest = min(filter(None, (self.oldest, other.oldest)), default="")


@dataclass(slots=True)
class BuildReport:
    """The counts of a whole corpus, source by source."""

    sources: list[SourceReport] = field(default_factory=list)

    @property
    def errors(self) -> list[tuple[str, str]]:
        return [error for source in self.sources for error in source.errors]

    @property
    def chunks(self) -> int:
        return sum(source.chunks for source in self.sources)

    @property
    def sheets(self) -> int:
        return sum(source.sheets for source in self.sources)

    @property
    def newest(self) -> str:
        """The newest date of any sheet that is served."""
        return max((source.newest for source in self.sources), default="")


def report_from_json(body: bytes) -> BuildReport:
    return BuildReport([_source(values) for values in orjson.loads(body)["sources"]])


def _source(values: dict[str, Any]) -> SourceReport:
    counters: Iterable[str] = ("audiences", "kinds", "skipped")
    for name in counters:
        values[name] = Counter(values[name])
    values["errors"] = [(name, reason) for name, reason in values["errors"]]
    return SourceReport(**values)
