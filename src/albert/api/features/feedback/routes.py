"""Opinions on answers: give, read, erase."""

from __future__ import annotations

from fastapi import APIRouter

from albert.api.access import Member, Served, refusals
from albert.api.features.feedback import service
from albert.api.features.feedback.schemas import FeedbackGiven, FeedbackRead
from albert.api.parameters import Limit, ObjectId, Skip

private = APIRouter(
    prefix="/api/v2", tags=["Avis"], responses=refusals(400, 401, 403, 413, 500, 503)
)


@private.post(
    "/feedback/add/{stream_id}",
    summary="Donne un avis sur une réponse, à la place du précédent",
    responses=refusals(404),
)
async def give_feedback(
    caller: Member, stream_id: ObjectId, given: FeedbackGiven, services: Served
) -> FeedbackRead:
    return await service.give(services.database, caller, stream_id, given)


@private.get("/feedbacks", summary="Vos avis")
async def read_feedbacks(
    caller: Member, services: Served, skip: Skip = 0, limit: Limit = 100
) -> list[FeedbackRead]:
    return await service.listed(services.database, caller, skip=skip, limit=limit)


@private.get("/feedback/{feedback_id}", summary="Un avis", responses=refusals(404))
async def read_feedback(caller: Member, feedback_id: ObjectId, services: Served) -> FeedbackRead:
    return await service.read(services.database, caller, feedback_id)


@private.delete("/feedback/delete/{feedback_id}", summary="Efface un avis", responses=refusals(404))
async def delete_feedback(caller: Member, feedback_id: ObjectId, services: Served) -> FeedbackRead:
    return await service.remove(services.database, caller, feedback_id)
