"""What is served of the corpus now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from albert.corpus.report import BuildReport
from albert.corpus.store import CorpusStore
from albert.domain.errors import CorpusMissing


class Corpus:
    """The corpus that is served now, followed from one build to the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._report = BuildReport()

    @property
    def report(self) -> BuildReport:
        """What the current corpus holds; empty where there is none."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return BuildReport()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            try:
                with closing(CorpusStore(self._path)) as store:
                    self._report = store.report
            except CorpusMissing:
                self._report = BuildReport()
            self._stamp = stamp
        return self._report

    def newest(self) -> Mapping[str, str]:
        """Return the newest date (ISO 8601) of each source that has sheets."""
        return {source.source: source.newest for source in self.report.sources if source.sheets}
