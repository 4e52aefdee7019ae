"""Questions: ask, read; starting and stopping their answers is elsewhere."""

from __future__ import annotations

from fastapi import APIRouter

from albert.api.access import Member, Served, refusals
from albert.api.features.streams import service
from albert.api.features.streams.schemas import ChatArchive, StreamCreate, StreamRead
from albert.api.parameters import ChatId, Descending, Limit, ObjectId, Skip

private = APIRouter(
    prefix="/api/v2",
    tags=["Conversations"],
    responses=refusals(400, 401, 403, 404, 413, 500, 503),
)


@private.post("/stream", summary="Pose une question, hors de toute conversation")
async def create_stream(caller: Member, asked: StreamCreate, services: Served) -> StreamRead:
    return await service.ask_alone(services, caller, asked)


@private.post("/stream/chat/{chat_id}", summary="Pose une question dans une conversation")
async def create_stream_in_chat(
    caller: Member,
    chat_id: ObjectId,
    asked: StreamCreate,
    services: Served,
) -> StreamRead:
    return await service.ask_in_chat(services, caller, chat_id, asked)


@private.get("/streams", summary="Vos questions et leurs réponses")
async def read_streams(
    caller: Member,
    services: Served,
    skip: Skip = 0,
    limit: Limit = 100,
    chat_id: ChatId = None,
    desc: Descending = False,
) -> list[StreamRead]:
    return await service.listed(
        services.database, caller, chat_id=chat_id, skip=skip, limit=limit, desc=desc
    )


@private.get("/stream/{stream_id}", summary="Une question et sa réponse")
async def read_stream(caller: Member, stream_id: ObjectId, services: Served) -> StreamRead:
    return await service.read(services.database, caller, stream_id)


@private.get(
    "/chat/archive/{chat_id}", summary="Une conversation et tout ce qui s'y est dit, dans l'ordre"
)
async def read_archive(caller: Member, chat_id: ObjectId, services: Served) -> ChatArchive:
    return await service.archive(services.database, caller, chat_id)
