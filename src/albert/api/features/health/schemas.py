"""What the health routes say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from albert.api.services import Status


class CorpusSource(BaseModel):
    source: str
    sheets: int
    newest: str = Field(description="Date de la fiche la plus récente (AAAA-MM-JJ)")
    origin: str = Field(description="D'où viennent les fiches : official, registry, ou un chemin")


class Corpus(BaseModel):
    newest: str = Field(description="Date de la fiche la plus récente de toutes")
    sources: list[CorpusSource]


class Index(BaseModel):
    words: bool = Field(description="La recherche par mots répond")
    chunks: int = Field(description="Nombre d'extraits")
    sheets: int = Field(description="Nombre de fiches")
    passages_embedded: int = Field(description="Extraits qui ont leur vecteur")
    sheets_embedded: int = Field(description="Fiches qui ont leur vecteur")


class Health(BaseModel):
    status: Literal["ok", "starting"]
    version: str
    detail: str = Field(description="Ce qui se prépare ou ce qui manque, en clair")
    corpus: Corpus
    index: Index
    models: list[str]


class Alive(BaseModel):
    status: Literal["ok", "starting", "stopping", "database"] = Field(
        description="« database » : la base de données ne répond pas"
    )


class HealthCheck(BaseModel):
    msg: Literal["OK"] = "OK"
    version: str


def health(status: Status) -> Health:
    reached = status.coverage
    return Health(
        status="ok" if reached else "starting",
        version=status.version,
        detail=status.detail,
        corpus=Corpus(
            newest=status.newest,
            sources=[
                CorpusSource(source=s.source, sheets=s.sheets, newest=s.newest, origin=s.origin)
                for s in status.corpus
            ],
        ),
        index=Index(
            words=reached is not None,
            chunks=reached.chunks if reached else 0,
            sheets=reached.sheets if reached else 0,
            passages_embedded=reached.passages_embedded if reached else 0,
            sheets_embedded=reached.sheets_embedded if reached else 0,
        ),
        models=list(status.models),
    )
