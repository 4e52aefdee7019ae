"""What may be done with opinions, and by whom."""

from __future__ import annotations

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.feedback import repository
from albert.api.features.feedback.schemas import FeedbackGiven, FeedbackRead, feedback_read
from albert.api.features.ownership.rules import check_owner, check_reader


async def give(
    database: Database, caller: Principal, stream_id: int, given: FeedbackGiven
) -> FeedbackRead:
    """Keep the only opinion there is on an answer: that of who asked the question.

    Raises:
        ObjectNotFound, NotOwner
    """
    async with database.session() as session:
        check_owner(caller, await repository.owner_of_stream(session, stream_id))
        return feedback_read(await repository.put(session, stream_id, caller.user_id, given))


async def read(database: Database, caller: Principal, feedback_id: int) -> FeedbackRead:
    """Raises ``ObjectNotFound``, ``NotOwner``."""
    async with database.session() as session:
        feedback = await repository.find(session, feedback_id)
        check_reader(
            session,
            caller,
            kind="feedback",
            object_id=feedback_id,
            owner_id=feedback.user_id,
        )
        return feedback_read(feedback)


async def listed(
    database: Database, caller: Principal, *, skip: int, limit: int
) -> list[FeedbackRead]:
    async with database.session() as session:
        found = await repository.of_user(session, caller.user_id, skip=skip, limit=limit)
        return [feedback_read(feedback) for feedback in found]


async def remove(database: Database, caller: Principal, feedback_id: int) -> FeedbackRead:
    """Erase an opinion; return what it was.

    Raises:
        ObjectNotFound, NotOwner
    """
    async with database.session() as session:
        feedback = await repository.find(session, feedback_id)
        check_owner(caller, feedback.user_id)
        await repository.remove(session, feedback_id)
        return feedback_read(feedback)
