"""What the public publishes (sheets) and what we retrieve (chunks)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal, NewType, get_args

SourceName = NewType("SourceName", str)
"""A publisher's data set, e.g. ``"service-public"`` or ``"travail-emploi"``."""

SheetId = NewType("SheetId", str)
"""The publisher's own identifier, e.g. ``"F35789"``; unique within its source."""

ChunkId = NewType("ChunkId", str)
"""Content hash of what is embedded: the same passage keeps its id, and so its vector."""

Audience = Literal["particuliers", "professionnels", "associations"]
AUDIENCES: tuple[Audience, ...] = get_args(Audience)

ANSWERING = frozenset({SourceName("service-public"), SourceName("travail-emploi")})
"""The sources that answers come from: the State's own words, never its users'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled stretch of a sheet, at the depth given by its headings.

    ``opens`` says how many of the last headings stand here for the first time in
    the sheet, so that the sheet's words can be counted without counting a
    heading once for each section below it.
    """

    headings: tuple[str, ...] = ()
    opens: int = 0
    text: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebService:
    """A procedure or a form that can be done or found on line."""

    title: str
    url: str = ""
    institution: str = ""
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedQuestion:
    """Another sheet that the publisher sends the reader to."""

    question: str
    sid: SheetId
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom a sheet tells its reader to turn to."""

    title: str
    url: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a sheet's text points: another sheet's id, or an address."""

    relation: Literal["sheet", "web", "definition", "law", "parent"]
    target: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word the publisher explains: an acronym's long form, or a definition."""

    term: str
    meaning: str
    kind: Literal["acronym", "definition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One published page ("fiche"), as its publisher wrote it.

    A sheet is the unit of publication. It is never indexed nor quoted whole:
    ``albert.corpus.chunking`` cuts it into chunks. ``date`` is the publisher's
    own, ISO 8601 (``"2020-04-30"``), or empty where there is none. ``institution``
    is the administration that an experience is about, as its publisher names it.
    """

    id: SheetId
    source: SourceName
    title: str
    url: str
    date: str = ""
    kind: str = ""
    audiences: tuple[Audience, ...] = ()
    theme: str = ""
    institution: str = ""
    breadcrumb: tuple[str, ...] = ()
    description: str = ""
    introduction: str = ""
    warning: str = ""
    sections: tuple[Section, ...] = ()
    web_services: tuple[WebService, ...] = ()
    related_questions: tuple[RelatedQuestion, ...] = ()
    contacts: tuple[Contact, ...] = ()
    links: tuple[Link, ...] = ()
    terms: tuple[Term, ...] = ()

    @property
    def institutions(self) -> tuple[str, ...]:
        """The administrations concerned, once each: its own, and those of its web services."""
        named = (self.institution, *(service.institution for service in self.web_services))
        return tuple(dict.fromkeys(name for name in named if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The unit of retrieval: a passage short enough to embed, with its breadcrumb.

    ``lead`` repeats what the text needs to be understood (a table's header row)
    and already stands in an earlier chunk; ``text`` alone re-joins to the sheet.
    ``copy`` tells apart passages that occur several times in one sheet.
    ``url`` is the sheet's address, with an anchor to the section where there is one.
    """

    sheet: SheetId
    source: SourceName
    title: str
    url: str
    text: str
    headings: tuple[str, ...] = ()
    lead: str = ""
    date: str = ""
    audiences: tuple[Audience, ...] = ()
    section: int = 0
    copy: int = 0
    id: ChunkId = field(init=False)

    def __post_init__(self) -> None:
        content = "\x1f".join((self.source, self.sheet, self.passage, str(self.copy or "")))
        digest = hashlib.blake2b(content.encode(), digest_size=12).hexdigest()
        object.__setattr__(self, "id", ChunkId(digest))

    @property
    def passage(self) -> str:
        """The text that is embedded and shown to the model: breadcrumb, then body."""
        lines = (" > ".join((self.title, *self.headings)), self.lead, self.text)
        return "\n".join(line for line in lines if line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """A public service of a directory: whom to contact, and addresses that are known good.

    ``id`` is unique within its source and stays from one publication to the next;
    empty where the directory gives none. ``department`` is its code (``"2A"``) or
    its name, as published.
    """

    name: str
    source: SourceName = SourceName("")
    id: str = ""
    urls: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    kind: str = ""
    address: str = ""
    postcode: str = ""
    town: str = ""
    department: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk and how well it answers; scores compare only within one result list."""

    chunk: Chunk
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Who publishes a source and under which licence; shown wherever a sheet is."""

    name: str
    licence: str = "Licence Ouverte 2.0"


PUBLISHERS: dict[str, Publisher] = {
    "service-public": Publisher(name="DILA / service-public.fr"),
    "travail-emploi": Publisher(name="Ministère du Travail / travail-emploi.gouv.fr"),
    "experiences": Publisher(name="DITP / Services Publics+"),
    "directory": Publisher(name="DILA / annuaire de l'administration"),
    "france-services": Publisher(name="ANCT / France services"),
}
