"""The directory of public services: names, addresses, phones and mails that are known good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from albert.corpus.contract import Skipped
from albert.corpus.json_stream import NotTheForm, objects
from albert.corpus.text import normalise
from albert.domain.documents import Institution, SourceName
from albert.domain.errors import CorpusError, CorpusMissing

_FILES = ("local.json", "national.json")


class Directory:
    """Reads ``local.json`` and ``national.json`` service by service, in constant memory."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @property
    def name(self) -> SourceName:
        return SourceName("directory")

    def read(self) -> Iterator[Institution | Skipped]:
        """Yield each service in the publisher's order, the local ones first.

        Raises:
            CorpusMissing: neither file is there.
            CorpusError: a file is damaged; it is named.
        """
        present = [path for name in _FILES if (path := self._data / name).exists()]
        if not present:
            raise CorpusMissing
        for path in present:
            yield from self._services(path)

    def _services(self, path: Path) -> Iterator[Institution | Skipped]:
        try:
            for rank, service in enumerate(objects(path, "service"), 1):
                yield _institution(service, f"{path.name} n° {rank}")
        except (NotTheForm, OSError) as error:
            raise CorpusError(
                f"« {path} » est illisible : relancez « albert corpus fetch »."
            ) from error


def _institution(service: Mapping[str, object], label: str) -> Institution | Skipped:
    name = service.get("nom")
    if not isinstance(name, str) or not normalise(name):
        return Skipped(name=label, reason="service sans nom", error=True)
    return Institution(
        name=normalise(name),
        source=SourceName("directory"),
        urls=_values(service.get("site_internet")),
        phones=_values(service.get("telephone")),
        mails=_values(service.get("adresse_courriel")),
        kind=_kind(service),
    )


def _values(entries: object) -> tuple[str, ...]:
    """Return the texts of ``["…"]`` or ``[{"valeur": "…"}]``, once each."""
    texts = (
        each.get("valeur") if isinstance(each, dict) else each
        for each in (entries if isinstance(entries, list) else ())
    )
    return distinct(text for text in texts if isinstance(text, str))


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts that are not empty, normalised, once each, in their order."""
    return tuple(dict.fromkeys(told for text in texts if (told := normalise(text))))


def _kind(service: Mapping[str, object]) -> str:
    """Return the kind of a local service ("mairie"), else the type of a national one."""
    pivots = service.get("pivot")
    for pivot in pivots if isinstance(pivots, list) else ():
        if isinstance(pivot, dict) and isinstance(kind := pivot.get("type_service_local"), str):
            return normalise(kind)
    kind = service.get("type_organisme")
    return normalise(kind) if isinstance(kind, str) else ""
