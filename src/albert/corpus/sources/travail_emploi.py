"""The sheets of the ministry of Labour: one JSON list, the text of sections in HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from albert.corpus import html
from albert.corpus.contract import Skipped
from albert.corpus.text import normalise
from albert.domain.documents import Link, Section, Sheet, SheetId, SourceName
from albert.domain.errors import CorpusError, CorpusMissing

_FRENCH_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_SECTION_LEVEL = 2
"""Sections are what the page has under its h2: an h2 inside one stands beside it."""


class TravailEmploi:
    """Reads ``fiches-travail.json``; the whole file is in memory while it is read (10 MB)."""

    def __init__(self, data: Path) -> None:
        self._path = data / "fiches-travail.json"

    @property
    def name(self) -> SourceName:
        return SourceName("travail-emploi")

    def read(self) -> Iterator[Sheet | Skipped]:
        """Yield each sheet once, ordered by id; a malformed one is skipped and named.

        Raises:
            CorpusMissing: the file is not there.
            CorpusError: the file is not a JSON list.
        """
        records = self._load()
        seen: set[str] = set()
        for key, record in sorted(records, key=lambda pair: pair[0]):
            if key in seen:
                yield Skipped(name=key, reason="identifiant déjà vu", error=True)
                continue
            seen.add(key)
            yield self._sheet(key, record)

    def _load(self) -> list[tuple[str, object]]:
        try:
            records = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            raise CorpusMissing from None
        except (OSError, orjson.JSONDecodeError) as error:
            raise CorpusError(
                f"« {self._path} » est illisible : relancez « albert corpus fetch »."
            ) from error
        if not isinstance(records, list):
            raise CorpusError(
                f"« {self._path} » n'est pas une liste : relancez « albert corpus fetch »."
            )
        return [(_key(record, rank), record) for rank, record in enumerate(records)]

    def _sheet(self, key: str, record: object) -> Sheet | Skipped:
        try:
            if not isinstance(record, dict):
                raise TypeError("une fiche doit être un objet JSON")
            title = normalise(_text(record, "title"))
            links: dict[Link, None] = {}
            sections = _sections(title, _objects(record, "sections"), links)
            return Sheet(
                id=SheetId(_text(record, "pubId")),
                source=self.name,
                title=title,
                url=_text(record, "url"),
                date=_iso(str(record.get("date") or "")),
                kind="Fiche",
                description=normalise(str(record.get("description") or "")),
                introduction="\n".join(_introduction(str(record.get("intro") or ""), links)),
                sections=sections,
                links=tuple(links),
            )
        except (KeyError, TypeError, ValueError) as error:
            return Skipped(name=key, reason=f"fiche mal formée ({error})", error=True)


def _key(record: object, rank: int) -> str:
    key = record.get("pubId") if isinstance(record, dict) else None
    return key if isinstance(key, str) and key else f"fiche n° {rank + 1}"


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise TypeError(f"champ {name!r} absent")
    return value


def _objects(record: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    value = record.get(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise TypeError(f"champ {name!r} absent")
    return value


def _iso(date: str) -> str:
    match = _FRENCH_DATE.fullmatch(date.strip())
    if match is None:
        return ""
    day, month, year = match.groups()
    return f"{year}-{int(month):02}-{int(day):02}"


def _introduction(fragment: str, links: dict[Link, None]) -> list[str]:
    root = html.parse(fragment)
    if root is not None:
        links.update(dict.fromkeys(html.links(root)))
    return html.lines(fragment)


def _sections(
    title: str, records: Sequence[Mapping[str, object]], links: dict[Link, None]
) -> tuple[Section, ...]:
    gathered = html.Outline()
    for record in records:
        name, anchor = normalise(_text(record, "title")), str(record.get("anchor") or "")
        if name == title and not anchor:  # the text before the page's first heading
            gathered.close(0)
        else:
            gathered.open(_SECTION_LEVEL, name, anchor)
        root = html.parse(_text(record, "html"))
        if root is not None:
            links.update(dict.fromkeys(html.links(root)))
            html.outline(root, gathered)
        links.update(dict.fromkeys(_laws(record.get("references"))))
    return gathered.sections()


def _laws(references: object) -> Iterator[Link]:
    """Yield the articles of law a section cites, by their identifier at Légifrance."""
    for code in references.values() if isinstance(references, dict) else ():
        for article in code.get("articles", ()) if isinstance(code, dict) else ():
            if isinstance(article, dict) and isinstance(target := article.get("id"), str):
                title = article.get("text") or article.get("fmt") or ""
                yield Link(relation="law", target=target, title=normalise(str(title)))
