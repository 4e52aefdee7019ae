"""What citizens tell of public services (Services Publics+), and what the services answer."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from albert.corpus.contract import Skipped
from albert.corpus.text import normalise
from albert.domain.documents import Section, Sheet, SheetId, SourceName
from albert.domain.errors import CorpusError, CorpusMissing

ANSWER = "Réponse de l'administration"
_ADDRESS = (
    "https://opendata.plus.transformation.gouv.fr/api/explore/v2.1/catalog/datasets/"
    "export-expa-c-riences"
)
"""Of the data set: it gives no address of a message, and we invent none."""
_MAIL = re.compile(r"[\w.+-]+\s?@\s?[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\d,])(?:\+33|0033|0)\s?(?:\(0\)\s?)?[1-9](?:[\s.\-/]?\d{2}){4}(?!\d)")
_NUMBER = re.compile(r"(?<!\d)(?:[12]\s?\d{2}\s?\d{2}\s?\w{2}\s?\d{3}\s?\d{3}(?:\s?\d{2})?)(?!\d)")
_NAME = re.compile(
    r"\b(M\.|Mr\.?|Mme|Mlle|Monsieur|Madame|Mademoiselle)\s+"
    r"(?!le\b|la\b|les\b|l['’])((?:[A-ZÀ-Ý][\w'’-]*)(?:\s+[A-ZÀ-Ý][\w'’-]*){0,3})"
)
_OFFICES = frozenset({"Le", "La", "Les", "Madame", "Monsieur", "Mesdames", "Messieurs"})
_TIGHT = re.compile(r"(?:(?:(?<=[a-zà-ÿ)»\]])|^)[.,…]|[!?;])(?=[A-Za-zÀ-ÿ])")
_SITE = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:fr|com|org|net|eu|gouv)\b")
_TAG = re.compile(r"<[^<>]{1,200}>")


class Experiences:
    """Reads ``experiences.json``, whole: about 1 GiB of memory for 100,000 of them."""

    def __init__(self, data: Path) -> None:
        self._path = data / "experiences.json"

    @property
    def name(self) -> SourceName:
        return SourceName("experiences")

    def read(self) -> Iterator[Sheet | Skipped]:
        """Yield each experience once, answered or not, ordered by id.

        Mail addresses, phone and social security numbers, and names after a title
        ("Mme Durand") are masked: they are people's, not the administration's.

        Raises:
            CorpusMissing: the file is not there.
            CorpusError: the file is not a JSON list.
        """
        seen: set[str] = set()
        for key, record in sorted(self._load(), key=lambda pair: _rank(pair[0])):
            if key in seen:
                yield Skipped(name=key, reason="identifiant déjà vu", error=True)
                continue
            seen.add(key)
            yield self._sheet(key, record)

    def _load(self) -> list[tuple[str, Mapping[str, object]]]:
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
        return [
            (str(each.get("id_experience") or f"n° {rank}"), each)
            if isinstance(each, dict)
            else (f"n° {rank}", {})
            for rank, each in enumerate(records, 1)
        ]

    def _sheet(self, key: str, record: Mapping[str, object]) -> Sheet | Skipped:
        told = clean(record.get("description"))
        answer = clean(record.get("reponse_structure_1"))
        if "id_experience" not in record or not told:
            return Skipped(name=key, reason="expérience sans identifiant ou sans texte", error=True)
        sections = [Section(text=told)]
        if answer:
            sections.append(Section(headings=(ANSWER,), opens=1, text=answer))
        institution = normalise(str(record.get("intitule_typologie_1") or ""))
        title = clean(record.get("titre")).replace("\n", " ") or "Expérience"
        return Sheet(
            id=SheetId(key),
            source=self.name,
            title=title,
            url=_ADDRESS,
            date=_date(record.get("ecrit_le")),
            kind="Expérience",
            theme=institution,
            institution=institution,
            sections=tuple(sections),
        )


def _rank(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() else (1 << 62, key)


def _date(value: object) -> str:
    text = str(value or "")
    if french := re.match(r"(\d{2})/(\d{2})/(\d{4})", text):
        return f"{french[3]}-{french[2]}-{french[1]}"
    return text[:10] if re.match(r"\d{4}-\d{2}-\d{2}", text) else ""


def clean(value: object) -> str:
    """Return a message as lines, a paragraph each, spaces mended, personal data masked."""
    if not isinstance(value, str):
        return ""
    text = html.unescape(html.unescape(value)).replace("\r\n", "\n").replace("\r", "\n")
    text = _TAG.sub("\n", text)
    lines = (_spaced(mask(normalise(line))) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _spaced(line: str) -> str:
    """Put back the space that the export loses after a sentence's punctuation."""
    kept, made = 0, []
    for site in _SITE.finditer(line):  # a dot inside an address is no end of sentence
        made += [_mended(line[kept : site.start()]), site[0]]
        kept = site.end()
    return "".join([*made, _mended(line[kept:])])


def _mended(text: str) -> str:
    return _TIGHT.sub(r"\g<0> ", text)


def mask(text: str) -> str:
    """Return ``text`` without what tells a person: mails, numbers, names after a title."""
    text = _MAIL.sub("[adresse électronique]", text)
    text = _NUMBER.sub("[numéro]", _PHONE.sub("[téléphone]", text))
    return _NAME.sub(_title_only, text)


def _title_only(match: re.Match[str]) -> str:
    return match[0] if match[2].split()[0] in _OFFICES else f"{match[1]} [nom]"
