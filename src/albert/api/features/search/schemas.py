"""What a search asks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from albert.domain.documents import Audience

Similarity = Literal["bm25", "e5", "hybrid"]
IndexName = Literal["sheets", "chunks", "experiences"]

MOST = 100
"""Documents of one answer."""

Uid = Annotated[str, Field(max_length=200)]


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
    limit: Annotated[int, Field(ge=1, le=MOST, description="Nombre de documents")] = 3
    similarity: Similarity = Field(
        "hybrid", description="Par mots (bm25), par sens (e5), ou les deux"
    )
    expand_acronyms: StrictBool = Field(True, description="Ajoute la forme longue des sigles")
    institution: str | None = Field(
        None,
        max_length=500,
        description="Un nom de /api/v2/institutions. Expériences : seulement celles de cette "
        "administration. Fiches et extraits : seulement les fiches dont une démarche en ligne, "
        "un formulaire ou un simulateur est de cette institution",
    )
    sources: list[str] | None = Field(None, description="Seulement ces sources")
    should_sids: list[Uid] | None = Field(None, description="Seulement ces fiches")
    must_not_sids: list[Uid] | None = Field(None, description="Toutes les fiches sauf celles-là")
    audiences: list[Audience] | None = Field(None, description="Seulement ces publics")
    stream_id: int | None = Field(
        None, ge=1, le=2**31 - 1, description="Le flux sur lequel garder les fiches trouvées"
    )


class Chunks(BaseModel):
    """Des extraits, par leur identifiant."""

    uids: list[Uid] = Field(max_length=MOST, description=f"Valeurs de « hash », {MOST} au plus")


class Sheets(BaseModel):
    """Des fiches, par leur identifiant."""

    uids: list[Uid] = Field(
        max_length=MOST,
        description=f"« sid », ou « source/sid » là où deux sources ont le même ; {MOST} au plus",
    )
