"""POST /api/v2/indexes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from albert.api.access import KEY_NEEDED, refusals, services_of
from albert.api.features.search.schemas import Document, SearchQuery, document
from albert.api.features.search.service import search
from albert.api.services import Services

private = APIRouter(
    prefix="/api/v2",
    tags=["Recherche"],
    dependencies=KEY_NEEDED,
    responses=refusals(400, 401, 413, 500, 502, 503),
)


@private.post("/indexes", summary="Cherche dans les fiches, du meilleur document au moins bon")
async def search_index(
    asked: SearchQuery, services: Annotated[Services, Depends(services_of)]
) -> list[Document]:
    return [document(hit) for hit in await search(services.retriever, asked)]
