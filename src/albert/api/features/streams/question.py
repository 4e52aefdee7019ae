"""From a stream as it was created to what the assistant is asked."""

from __future__ import annotations

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.features.accounts.tables import User
from albert.api.features.chats.tables import Chat
from albert.api.features.streams.history import earlier_turns
from albert.api.features.streams.metered import OPERATION, MeteredAnswerer
from albert.api.features.streams.tables import Stream
from albert.api.services import Services
from albert.api.v1.relay import check_access
from albert.asgi.problems import model_not_found
from albert.assistant.contract import Answerer, Question
from albert.domain.conversation import Circumstances, Message, Sampling
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
        ModelForbidden: it is for administrators.
        DatabaseUnavailable, DatabaseError
    """
    async with services.database.session() as session:
        stream = await session.get(Stream, stream_id)
        if stream is None:
            raise ObjectNotFound
        chat = await session.get(Chat, stream.chat_id) if stream.chat_id is not None else None
        asker = await session.get_one(User, stream.user_id)
        history: tuple[Message, ...] = ()
        if chat is not None and stream.with_history is not False:
            history = await earlier_turns(session, chat.id, stream_id)
    answerer = services.answerers.get(stream.model_name)
    if answerer is None:
        raise model_not_found(stream.model_name, tuple(services.answerers))
    call = Call(
        request_id=f"stream-{stream_id}",
        principal=Principal(user_id=asker.id, username=asker.username, is_admin=asker.is_admin),
        model=answerer.model,
        operation=OPERATION,
        stream=True,
    )
    if (route := services.dispatcher.fleet.find(answerer.model)) is not None:
        check_access(route, call)
    return MeteredAnswerer(answerer, call, services), question(stream, chat, history)


def question(stream: Stream, chat: Chat | None, history: tuple[Message, ...]) -> Question:
    """A chat's own questions and answers come before, unless the stream says otherwise."""
    return Question(
        text=stream.query,
        history=history,
        where=Filter(
            sources=frozenset(map(SourceName, stream.sources or ())),
            sheets=frozenset(map(SheetId, stream.should_sids or ())),
            without_sheets=frozenset(map(SheetId, stream.must_not_sids or ())),
        ),
        limit=stream.limit,
        mode=stream.mode or _DEFAULT.mode,
        sampling=Sampling(temperature=stream.temperature),
        circumstances=Circumstances(
            context=stream.context,
            links=stream.links,
            institution=stream.institution,
            operators=tuple(chat.operators) if chat else (),
            themes=tuple(chat.themes) if chat else (),
        ),
        checks=CHECKS if stream.postprocessing is None else CHECKS & set(stream.postprocessing),
    )
