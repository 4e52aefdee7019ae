"""GET /stream/{id}/start and POST /stream/{id}/stop."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from sqlalchemy import select

from albert.api.access import Member, Served, refusals
from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.ownership.rules import check_owner
from albert.api.features.streams import service
from albert.api.features.streams.events import AT_END, EventStream
from albert.api.features.streams.generation import Ended
from albert.api.features.streams.hub import Hub
from albert.api.features.streams.question import ask
from albert.api.features.streams.schemas import StreamRead
from albert.api.features.streams.tables import Stream
from albert.api.parameters import ObjectId
from albert.asgi.problems import INVALID, Problem
from albert.domain.errors import ObjectNotFound
from albert.wire.openai import Completion

private = APIRouter(
    prefix="/api/v2", tags=["Conversations"], responses=refusals(401, 403, 404, 500, 502, 503)
)


_POSITION = re.compile(r"[0-9]{1,18}")


async def hub_of(request: Request) -> Hub:  # FastAPI runs a plain ``def`` in a thread
    hub: Hub = request.app.state.hub
    return hub


Answers = Annotated[Hub, Depends(hub_of)]


@private.get(
    "/stream/{stream_id}/start",
    summary="Écrit la réponse, ou la reprend, ou la redit",
    response_class=Response,
    responses={
        200: {
            "description": "Des « chat.completion.chunk » d'OpenAI, puis [DONE]",
            "content": {"text/event-stream": {}},  # no schema tells of a sequence of events
        },
        204: {"description": "Tout a déjà été dit à ce lecteur"},
        **refusals(400, 413),
    },
)
async def start_stream(
    caller: Member,
    stream_id: ObjectId,
    services: Served,
    hub: Answers,
    last_event_id: Annotated[str, Header(description="Le dernier événement reçu")] = "",
) -> Response:
    model, asked = await _owned(services.database, stream_id, caller)
    if last_event_id == AT_END:
        return Response(status_code=204)
    position = int(last_event_id) if _POSITION.fullmatch(last_event_id) else 0
    await hub.start(stream_id, lambda: ask(services, stream_id))
    events = hub.read(stream_id, position)
    begin = await anext(events)
    first = begin[0]
    if isinstance(first, Ended) and first.state == "failed" and not first.length and not position:
        await events.aclose()
        raise _problem(first)
    completion = Completion(f"chatcmpl-{stream_id}", int(asked.timestamp()), model)
    return EventStream(begin, events, completion, resumed=position > 0)


@private.post("/stream/{stream_id}/stop", summary="Arrête la réponse, chez le modèle aussi")
async def stop_stream(
    caller: Member, stream_id: ObjectId, services: Served, hub: Answers
) -> StreamRead:
    await _owned(services.database, stream_id, caller)
    await hub.stop(stream_id)
    return await service.read(services.database, caller, stream_id)


async def _owned(database: Database, stream_id: int, caller: Principal) -> tuple[str, datetime]:
    """Return the model that the caller's own stream names, and when it was asked.

    Raises:
        ObjectNotFound, NotOwner
    """
    async with database.session() as session:
        named = select(Stream.user_id, Stream.model_name, Stream.created_at).where(
            Stream.id == stream_id
        )
        row = (await session.execute(named)).one_or_none()
    if row is None:
        raise ObjectNotFound
    user_id, model, asked = row
    check_owner(caller, user_id)
    return model, asked


def _problem(ended: Ended) -> Problem:
    """Return the error of an answer that ended before its first word, with its status."""
    error = ended.finish.get("error") or {"message": "", "type": INVALID, "code": None}
    return Problem(
        int(ended.finish.get("status", 500)),
        error["message"],
        type_=error["type"],
        code=error["code"],
    )
