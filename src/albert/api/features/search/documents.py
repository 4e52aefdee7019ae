"""Passages and sheets as clients receive them."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from albert.domain.documents import Chunk, Hit, Section, Sheet
from albert.retrieval.library import Library
from albert.wire.citations import publisher_of


class RelatedQuestion(BaseModel):
    """Une autre fiche, vers laquelle l'éditeur envoie le lecteur."""

    question: str
    sid: str
    url: str


class WebService(BaseModel):
    """Une démarche en ligne, un formulaire, un simulateur."""

    title: str
    institution: str
    url: str
    type: str


class Contact(BaseModel):
    """À qui s'adresser."""

    title: str
    url: str
    kind: str


class SectionDocument(BaseModel):
    """Un passage de la fiche entière, sous ses titres."""

    context: list[str] = Field(description="Titres, du plus large au plus précis")
    text: str
    url: str = Field(description="Celle de la fiche, à cet endroit si l'éditeur le permet")


class Unknown(BaseModel):
    """`{}` : rien ne porte cet identifiant."""

    model_config = ConfigDict(extra="forbid")


class _OfSheet(BaseModel):
    """What a passage and its sheet say alike."""

    sid: str = Field(description="Identifiant de la fiche chez son éditeur")
    title: str
    url: str
    introduction: str
    text: str = Field(
        description="L'extrait, ou toute la fiche avec ses titres, l'introduction à part ; Markdown"
    )
    context: list[str] = Field(
        description="Titres au-dessus de l'extrait, ou fil d'Ariane de la fiche, "
        "du plus large au plus précis"
    )
    theme: str
    surtitre: str = Field(description="Genre de fiche, par exemple « Fiche pratique »")
    source: str
    institution: str = Field(description="Pour une expérience, l'administration concernée")
    date: str = Field(description="Date de la fiche (AAAA-MM-JJ), vide si l'éditeur n'en donne pas")
    audiences: list[str]
    related_questions: list[RelatedQuestion]
    web_services: list[WebService]
    publisher: str
    licence: str


class ChunkDocument(_OfSheet):
    """Un extrait de fiche, avec ce qu'il faut savoir de la fiche."""

    hash: str = Field(description="Identifiant de l'extrait, tiré de son contenu")


class FoundDocument(ChunkDocument):
    """Un extrait de fiche et sa place dans la recherche."""

    score: float = Field(description="Ne se compare qu'au sein d'une même réponse")


class SheetDocument(_OfSheet):
    """Une fiche entière."""

    description: str
    warning: str = Field(description="Avertissement de l'éditeur, souvent vide")
    sections: list[SectionDocument]
    contacts: list[Contact]


def chunk_document(chunk: Chunk, sheet: Sheet | None) -> ChunkDocument:
    """Describe a passage; where its sheet is gone, by what the passage itself knows."""
    of = sheet or Sheet(id=chunk.sheet, source=chunk.source, title=chunk.title, url=chunk.url)
    publisher = publisher_of(chunk)
    return ChunkDocument(
        hash=chunk.id,
        sid=chunk.sheet,
        title=chunk.title,
        url=chunk.url,
        introduction=of.introduction,
        text="\n".join(part for part in (chunk.lead, chunk.text) if part),
        context=list(chunk.headings),
        theme=of.theme,
        surtitre=of.kind,
        source=chunk.source,
        institution=of.institution,
        date=chunk.date,
        audiences=list(chunk.audiences),
        related_questions=_related(of),
        web_services=_services(of),
        publisher=publisher.name,
        licence=publisher.licence,
    )


def found_document(hit: Hit, sheet: Sheet | None) -> FoundDocument:
    return FoundDocument(**dict(chunk_document(hit.chunk, sheet)), score=hit.score)


async def described(library: Library, hits: Sequence[Hit]) -> list[FoundDocument]:
    """Return what clients receive of these hits."""
    sheets = await sheets_of(library, [hit.chunk for hit in hits])
    return [found_document(hit, sheet) for hit, sheet in zip(hits, sheets, strict=True)]


async def sheets_of(library: Library, chunks: Sequence[Chunk]) -> list[Sheet | None]:
    """Return the sheet of each passage, all read at once; None where it is gone."""
    return await library.sheets([f"{c.source}/{c.sheet}" for c in chunks]) if chunks else []


def sheet_document(sheet: Sheet) -> SheetDocument:
    publisher = publisher_of(sheet)
    return SheetDocument(
        sid=sheet.id,
        title=sheet.title,
        url=sheet.url,
        introduction=sheet.introduction,
        text=whole_text(sheet),
        context=list(sheet.breadcrumb),
        theme=sheet.theme,
        surtitre=sheet.kind,
        source=sheet.source,
        institution=sheet.institution,
        date=sheet.date,
        audiences=list(sheet.audiences),
        related_questions=_related(sheet),
        web_services=_services(sheet),
        publisher=publisher.name,
        licence=publisher.licence,
        description=sheet.description,
        warning=sheet.warning,
        sections=[_section(sheet, section) for section in sheet.sections],
        contacts=[Contact(title=c.title, url=c.url, kind=c.kind) for c in sheet.contacts],
    )


def _related(sheet: Sheet) -> list[RelatedQuestion]:
    return [
        RelatedQuestion(question=one.question, sid=one.sid, url=one.url)
        for one in sheet.related_questions
    ]


def _services(sheet: Sheet) -> list[WebService]:
    return [
        WebService(title=one.title, institution=one.institution, url=one.url, type=one.type)
        for one in sheet.web_services
    ]


def _section(sheet: Sheet, section: Section) -> SectionDocument:
    url = f"{sheet.url}#{section.anchor}" if section.anchor else sheet.url
    return SectionDocument(context=list(section.headings), text=section.text, url=url)


def whole_text(sheet: Sheet) -> str:
    """Return the sections in reading order, each heading once, where it opens, as Markdown."""
    return "\n\n".join(part for section in sheet.sections for part in _told(section))


def _told(section: Section) -> list[str]:
    first = len(section.headings) - section.opens
    opened = [
        f"{'#' * min(depth + 2, 6)} {heading}"
        for depth, heading in enumerate(section.headings)
        if depth >= first
    ]
    return [*opened, section.text] if section.text else opened
