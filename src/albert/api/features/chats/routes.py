"""Conversations: open, read, name, erase."""

from __future__ import annotations

from fastapi import APIRouter

from albert.api.access import Member, Served, refusals
from albert.api.features.chats import service
from albert.api.features.chats.schemas import ChatCreate, ChatRead, ChatUpdate
from albert.api.parameters import Descending, Limit, ObjectId, Skip

private = APIRouter(
    prefix="/api/v2", tags=["Conversations"], responses=refusals(400, 401, 403, 413, 500, 503)
)


@private.post("/chat", summary="Ouvre une conversation")
async def create_chat(caller: Member, asked: ChatCreate, services: Served) -> ChatRead:
    return await service.create(services.database, caller, asked)


@private.get("/chats", summary="Vos conversations")
async def read_chats(
    caller: Member,
    services: Served,
    skip: Skip = 0,
    limit: Limit = 100,
    desc: Descending = False,
) -> list[ChatRead]:
    return await service.listed(services.database, caller, skip=skip, limit=limit, desc=desc)


@private.get("/chat/{chat_id}", summary="Une conversation", responses=refusals(404))
async def read_chat(caller: Member, chat_id: ObjectId, services: Served) -> ChatRead:
    return await service.read(services.database, caller, chat_id)


@private.post("/chat/{chat_id}", summary="Change son nom ou son type", responses=refusals(404))
async def change_chat(
    caller: Member, chat_id: ObjectId, asked: ChatUpdate, services: Served
) -> ChatRead:
    return await service.change(services.database, caller, chat_id, asked)


@private.delete(
    "/chat/delete/{chat_id}",
    summary="Efface une conversation et tout ce qui s'y est dit",
    responses=refusals(404),
)
async def delete_chat(caller: Member, chat_id: ObjectId, services: Served) -> ChatRead:
    return await service.remove(services.database, caller, chat_id)
