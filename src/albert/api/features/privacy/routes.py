"""One's own data: taken away, or erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from albert.api.access import Member, Served, refusals
from albert.api.features.privacy.erasure import erase
from albert.api.features.privacy.export import export
from albert.api.features.privacy.schemas import Erased

_PIECE = 64 << 10
_NAME = "albert-mes-donnees.zip"

private = APIRouter(
    prefix="/api/v2", tags=["Données personnelles"], responses=refusals(401, 403, 413, 500, 503)
)


@private.get(
    "/user/me/export",
    summary="Tout ce qui est gardé de vous : un fichier JSON, dans un zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "L'archive"}},
)
async def export_account(caller: Member, services: Served) -> StreamingResponse:
    archive = await export(services.database, caller)
    headers = {
        "content-disposition": f'attachment; filename="{_NAME}"',
        "cache-control": "no-store",
    }
    return StreamingResponse(_pieces(archive), media_type="application/zip", headers=headers)


async def _pieces(archive: IO[bytes]) -> AsyncIterator[bytes]:
    with archive:
        while piece := await asyncio.to_thread(archive.read, _PIECE):
            yield piece


@private.delete(
    "/user/me",
    summary="Efface votre compte et tout ce qui est à vous, sans retour",
    responses=refusals(400),
)
async def erase_account(caller: Member, services: Served) -> Erased:
    await erase(services.database, caller.user_id)
    return Erased()
