"""What a search asks and gives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from albert.domain.documents import Audience, Hit
from albert.wire.citations import publisher_of

Similarity = Literal["bm25", "e5", "hybrid"]
IndexName = Literal["sheets", "chunks", "experiences"]


class SearchQuery(BaseModel):
    """Une recherche ; les champs inconnus sont ignorés."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "chunks", "query": "renouveler une carte d'identité", "limit": 3}
        }
    )

    name: IndexName = Field(
        description="Fiches (une fois chacune), extraits, ou expériences d'usagers"
    )
    query: str = Field(description="La question, de 1 à 8000 caractères")
    limit: Annotated[int, Field(ge=1, le=100, description="Nombre de documents")] = 3
    similarity: Similarity = Field(
        "hybrid", description="Par mots (bm25), par sens (e5), ou les deux"
    )
    expand_acronyms: bool = Field(True, description="Ajoute la forme longue des sigles")
    sources: list[str] | None = Field(None, description="Seulement ces sources")
    should_sids: list[str] | None = Field(None, description="Seulement ces fiches")
    must_not_sids: list[str] | None = Field(None, description="Toutes les fiches sauf celles-là")
    audiences: list[Audience] | None = Field(None, description="Seulement ces publics")


class Document(BaseModel):
    """Un extrait de fiche et sa place dans la recherche."""

    hash: str = Field(description="Identifiant de l'extrait, tiré de son contenu")
    sid: str = Field(description="Identifiant de la fiche chez son éditeur")
    title: str
    url: str
    text: str
    context: list[str] = Field(
        description="Titres au-dessus de l'extrait, du plus large au plus précis"
    )
    source: str
    date: str = Field(description="Date de la fiche (AAAA-MM-JJ), vide si l'éditeur n'en donne pas")
    audiences: list[str]
    score: float = Field(description="Ne se compare qu'au sein d'une même réponse")
    publisher: str
    licence: str


def document(hit: Hit) -> Document:
    chunk, publisher = hit.chunk, publisher_of(hit.chunk)
    return Document(
        hash=chunk.id,
        sid=chunk.sheet,
        title=chunk.title,
        url=chunk.url,
        text="\n".join(part for part in (chunk.lead, chunk.text) if part),
        context=list(chunk.headings),
        source=chunk.source,
        date=chunk.date,
        audiences=list(chunk.audiences),
        score=hit.score,
        publisher=publisher.name,
        licence=publisher.licence,
    )
