"""The France services houses: a CSV file, a line for each."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from albert.corpus.checks import delimiter
from albert.corpus.contract import Skipped
from albert.corpus.sources.directory import distinct
from albert.corpus.text import normalise
from albert.domain.documents import Institution, SourceName
from albert.domain.errors import CorpusError, CorpusMissing


class FranceServices:
    """Reads ``france-services.csv`` line by line."""

    def __init__(self, data: Path) -> None:
        self._path = data / "france-services.csv"

    @property
    def name(self) -> SourceName:
        return SourceName("france-services")

    def read(self) -> Iterator[Institution | Skipped]:
        """Yield each house in the publisher's order.

        Raises:
            CorpusMissing: the file is not there.
            CorpusError: it is not CSV in UTF-8.
        """
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                mark = delimiter(file.readline())
                file.seek(0)
                for rank, row in enumerate(csv.DictReader(file, delimiter=mark), 2):
                    yield _house(row, rank)
        except FileNotFoundError:
            raise CorpusMissing from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CorpusError(
                f"« {self._path} » est illisible : relancez « albert corpus fetch »."
            ) from error


def _house(row: Mapping[str, str | None], rank: int) -> Institution | Skipped:
    name = normalise(row.get("lib_fs") or "")
    if not name:
        return Skipped(name=f"ligne {rank}", reason="maison sans nom", error=True)
    return Institution(
        name=name,
        urls=distinct([row.get("site_internet") or ""]),
        phones=distinct([row.get("telephone") or ""]),
        mails=distinct([row.get("mail") or ""]),
        kind=normalise(row.get("format_fs") or "") or "France services",
    )
