"""POST /api/v2/indexes, and passages and sheets by their ids."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from albert.api.access import Member, Served, refusals
from albert.api.features.search.documents import (
    ChunkDocument,
    FoundDocument,
    SheetDocument,
    Unknown,
    chunk_document,
    sheet_document,
    sheets_of,
)
from albert.api.features.search.schemas import Chunks, SearchQuery, Sheets
from albert.api.features.search.service import search
from albert.api.features.streams.found import keep_found
from albert.asgi.problems import Problem
from albert.domain.errors import SheetNotFound
from albert.retrieval.library import Library

private = APIRouter(
    prefix="/api/v2",
    tags=["Recherche"],
    responses=refusals(401, 403, 413, 500, 503),
)


@private.post(
    "/indexes",
    summary="Cherche dans les fiches, du meilleur document au moins bon",
    responses=refusals(400, 404, 502),
)
async def search_index(caller: Member, asked: SearchQuery, services: Served) -> list[FoundDocument]:
    documents = await search(services, asked)
    if asked.stream_id is not None:
        sids = list(dict.fromkeys(document.sid for document in documents))
        await keep_found(services.database, caller, asked.stream_id, sids)
    return documents


@private.get("/get_chunk/{hash}", summary="Un extrait", responses=refusals(404))
async def read_chunk(
    _caller: Member,
    uid: Annotated[str, Path(alias="hash", description="Son « hash »")],
    services: Served,
) -> ChunkDocument:
    [found] = await _chunks(services.library, [uid])
    if isinstance(found, Unknown):
        raise Problem(
            404,
            f"Aucun extrait ne porte l'identifiant {uid!r} : cherchez-le par son contenu, "
            "les identifiants changent avec les fiches.",
            code="chunk_not_found",
            param="hash",
        )
    return found


@private.post(
    "/get_chunks",
    summary="Des extraits, dans l'ordre demandé ; inconnu : {}",
    responses=refusals(400),
)
async def read_chunks(
    _caller: Member, asked: Chunks, services: Served
) -> list[ChunkDocument | Unknown]:
    return await _chunks(services.library, asked.uids)


@private.get("/get_sheet/{sid:path}", summary="Une fiche entière", responses=refusals(404))
async def read_sheet(
    _caller: Member,
    sid: Annotated[
        str,
        Path(
            description="Son « sid » ; celui de service-public si deux sources ont le même, "
            "ou « source/sid »"
        ),
    ],
    services: Served,
) -> SheetDocument:
    [found] = await services.library.sheets([sid])
    if found is None:
        raise SheetNotFound(
            f"Aucune fiche ne porte l'identifiant {sid!r} : cherchez-la par son contenu."
        )
    return sheet_document(found)


@private.post(
    "/get_sheets",
    summary="Des fiches entières, dans l'ordre demandé ; inconnue : {}",
    responses=refusals(400),
)
async def read_sheets(
    _caller: Member, asked: Sheets, services: Served
) -> list[SheetDocument | Unknown]:
    found = await services.library.sheets(asked.uids)
    return [Unknown() if sheet is None else sheet_document(sheet) for sheet in found]


async def _chunks(library: Library, uids: list[str]) -> list[ChunkDocument | Unknown]:
    found = await library.chunks(uids)
    known = [chunk for chunk in found if chunk is not None]
    sheets = dict(zip(known, await sheets_of(library, known), strict=True))
    return [Unknown() if c is None else chunk_document(c, sheets[c]) for c in found]
