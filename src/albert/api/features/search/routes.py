"""POST /api/v2/indexes."""

from __future__ import annotations

from fastapi import APIRouter

from albert.api.access import Member, Served, refusals
from albert.api.features.search.schemas import Document, SearchQuery, document
from albert.api.features.search.service import search

private = APIRouter(
    prefix="/api/v2",
    tags=["Recherche"],
    responses=refusals(400, 401, 413, 500, 502, 503),
)


@private.post("/indexes", summary="Cherche dans les fiches, du meilleur document au moins bon")
async def search_index(_caller: Member, asked: SearchQuery, services: Served) -> list[Document]:
    return [document(hit) for hit in await search(services.retriever, asked)]
