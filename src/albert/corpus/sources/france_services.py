"""The France services houses: a CSV file, a line for each."""

from __future__ import annotations

import csv
import hashlib
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
        """Yield each house in the publisher's order, each with an id of its own.

        The id is the publisher's; where it is missing or taken, one made of the
        house's name and place. A line that repeats another is passed over.

        Raises:
            CorpusMissing: the file is not there.
            CorpusError: it is not CSV in UTF-8.
        """
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                mark = delimiter(file.readline())
                file.seek(0)
                seen: set[str] = set()
                for rank, row in enumerate(csv.DictReader(file, delimiter=mark), 2):
                    yield _house(row, rank, seen)
        except FileNotFoundError:
            raise CorpusMissing from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CorpusError(
                f"« {self._path} » est illisible : relancez « albert corpus fetch »."
            ) from error


def _house(row: Mapping[str, str | None], rank: int, seen: set[str]) -> Institution | Skipped:
    name = _told(row, "lib_fs")
    if not name:
        return Skipped(name=f"ligne {rank}", reason="maison sans nom", error=True)
    postcode, town = _told(row, "code_postal"), _told(row, "lib_com", "commune", "ville")
    address = _told(row, "adresse")
    given, made = _told(row, "id_fs"), _made_of(name, postcode, town, address)
    own = next((one for one in (given, made) if one and one not in seen), None)
    if own is None:
        return Skipped(name=f"ligne {rank}", reason="maison déjà lue", error=True)
    seen.add(own)
    return Institution(
        name=name,
        source=SourceName("france-services"),
        id=own,
        urls=distinct([row.get("site_internet") or ""]),
        phones=distinct([row.get("telephone") or ""]),
        mails=distinct([row.get("mail") or ""]),
        kind=_told(row, "format_fs") or "France services",
        address=address,
        postcode=postcode,
        town=town,
        department=_told(row, "lib_departement", "departement", "lib_dep", "insee_dep"),
    )


def _told(row: Mapping[str, str | None], *columns: str) -> str:
    """Return the first of these columns that says something: their names have varied."""
    return next((told for name in columns if (told := normalise(row.get(name) or ""))), "")


def _made_of(*parts: str) -> str:
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=6)
    return f"fs-{digest.hexdigest()}"
