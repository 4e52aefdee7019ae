"""From a stream as it was created to what the assistant is asked."""

from __future__ import annotations

from albert.api.errors import model_not_found
from albert.api.features.streams.tables import Stream
from albert.api.services import Services
from albert.assistant.contract import Answerer, Question
from albert.domain.conversation import Message, Sampling
from albert.domain.documents import SheetId, SourceName
from albert.domain.errors import ObjectNotFound
from albert.guard.contract import CHECKS
from albert.index.contract import Filter

_DEFAULT = Question(text="")


async def ask(services: Services, stream_id: int) -> tuple[Answerer, Question]:
    """Return who answers, and what.

    Raises:
        ObjectNotFound: the stream was erased.
        Problem: its model is not offered any more.
        DatabaseUnavailable, DatabaseError
    """
    async with services.database.session() as session:
        stream = await session.get(Stream, stream_id)
        if stream is None:
            raise ObjectNotFound
        history: tuple[Message, ...] = ()
    answerer = services.answerers.get(stream.model_name)
    if answerer is None:
        raise model_not_found(stream.model_name, tuple(services.answerers))
    return answerer, question(stream, history)


def question(stream: Stream, history: tuple[Message, ...]) -> Question:
    return Question(
        text=stream.query,
        history=history,
        where=Filter(
            sources=frozenset(map(SourceName, stream.sources or ())),
            sheets=frozenset(map(SheetId, stream.should_sids or ())),
            without_sheets=frozenset(map(SheetId, stream.must_not_sids or ())),
        ),
        limit=stream.limit or _DEFAULT.limit,
        mode=stream.mode or _DEFAULT.mode,
        sampling=Sampling(temperature=stream.temperature),
        checks=CHECKS if stream.postprocessing is None else CHECKS & set(stream.postprocessing),
    )
