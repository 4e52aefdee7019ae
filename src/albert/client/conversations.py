"""Chats, the questions asked in them and their answers, and what people think of those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from albert.client.connection import Connection, Query, given
from albert.client.errors import ReplyInvalid
from albert.client.forms import Archive, Chat, Feedback, Model, Stream
from albert.client.resuming import DELAYS, AsyncAnswerStream

ChatType = Literal["qa", "meeting", "evaluations"]
Source = Literal["service-public", "travail-emploi"]
Check = Literal["check_url", "check_mail", "check_number"]
Positive = Literal["clair", "synthetique", "complet", "sources_fiables"]
Negative = Literal[
    "erreurs_grammaires",
    "hallucinations",
    "imprecisions",
    "inconsistance",
    "manque_de_sources",
    "trop_long",
]


class How(TypedDict, total=False):
    """How a question is to be answered; what is left out is the service's choice."""

    mode: str
    limit: int
    """Passages."""
    with_history: bool
    """Heeds the chat's earlier questions."""
    context: str
    institution: str
    links: str
    temperature: float
    """From 0 to 2."""
    sources: Sequence[Source]
    should_sids: Sequence[str]
    """Only these sheets."""
    must_not_sids: Sequence[str]
    """All sheets but these."""
    postprocessing: Sequence[Check]


class AsyncChats:
    """One's own chats."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        chat_type: ChatType = "qa",
        *,
        operators: Sequence[str] | None = None,
        themes: Sequence[str] | None = None,
    ) -> Chat:
        body = given(chat_type=chat_type, operators=operators, themes=themes)
        return await self._connection.read(Chat, "POST", "/chat", body)

    async def read(self, chat_id: int) -> Chat:
        return await self._connection.read(Chat, "GET", f"/chat/{chat_id}")

    async def rename(self, chat_id: int, name: str) -> Chat:
        return await self._connection.read(Chat, "POST", f"/chat/{chat_id}", {"chat_name": name})

    async def change_type(self, chat_id: int, chat_type: ChatType) -> Chat:
        body = {"chat_type": chat_type}
        return await self._connection.read(Chat, "POST", f"/chat/{chat_id}", body)

    async def archive(self, chat_id: int) -> Archive:
        """Return the chat with all that was said in it, in order."""
        return await self._connection.read(Archive, "GET", f"/chat/archive/{chat_id}")

    async def delete(self, chat_id: int) -> None:
        """Erase the chat and all that was said in it."""
        await self._connection.ask("DELETE", f"/chat/delete/{chat_id}")

    async def list(self, *, skip: int = 0, limit: int = 100, desc: bool = False) -> list[Chat]:
        """Return the chats in the order of their creation, or the newest first."""
        query: Query = {"skip": skip, "limit": limit, "desc": str(desc).lower()}
        return await self._connection.read(list[Chat], "GET", "/chats", query=query)


class AsyncStreams:
    """One's own questions, each with its answer."""

    def __init__(self, connection: Connection, delays: tuple[float, ...] = DELAYS) -> None:
        self._connection = connection
        self._delays = delays
        self._default = ""

    async def create(
        self,
        query: str,
        *,
        chat: int | None = None,
        model: str | None = None,
        **how: Unpack[How],
    ) -> Stream:
        """Keep a question, alone or in the chat of that id; ``start`` has it answered.

        Without ``model``, the service's default one.
        """
        body = {"model_name": model or await self._default_model(), "query": query, **how}
        path = "/stream" if chat is None else f"/stream/chat/{chat}"
        return await self._connection.read(Stream, "POST", path, body)

    async def start(self, stream_id: int) -> AsyncAnswerStream:
        """Return the answer, to be read: as it is written, or again once it was."""
        return AsyncAnswerStream(self._connection, stream_id, delays=self._delays)

    async def stop(self, stream_id: int) -> Stream:
        """Have the answer stopped, on the model's side too; what was written is kept."""
        return await self._connection.read(Stream, "POST", f"/stream/{stream_id}/stop")

    async def read(self, stream_id: int) -> Stream:
        return await self._connection.read(Stream, "GET", f"/stream/{stream_id}")

    async def list(
        self, *, chat: int | None = None, skip: int = 0, limit: int = 100, desc: bool = False
    ) -> list[Stream]:
        """Return the questions in the order they were asked, or the newest first."""
        query: dict[str, str | int] = {"skip": skip, "limit": limit, "desc": str(desc).lower()}
        if chat is not None:
            query["chat_id"] = chat
        return await self._connection.read(list[Stream], "GET", "/streams", query=query)

    async def _default_model(self) -> str:
        if not self._default:
            models = await self._connection.read(dict[str, Model], "GET", "/models")
            speaking = [one for one in models.values() if one.type == "text-generation"]
            if not speaking:
                raise ReplyInvalid("Le service n'offre aucun modèle : donnez-en un par « model ».")
            self._default = next((one for one in speaking if one.default), speaking[0]).model
        return self._default


class AsyncFeedbacks:
    """One's own opinions on answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, stream_id: int, *, is_good: bool, message: str | None = None) -> Feedback:
        """Say whether an answer is good, in place of what was said before."""
        body = given(type="chat", is_good=is_good, message=message)
        return await self._connection.read(Feedback, "POST", f"/feedback/add/{stream_id}", body)

    async def evaluate(
        self,
        stream_id: int,
        note: int,
        *,
        positives: Sequence[Positive] = (),
        negatives: Sequence[Negative] = (),
        message: str | None = None,
    ) -> Feedback:
        """Give an answer a note from 0 to 5, with at least one reason."""
        body = given(
            type="evaluations",
            note=note,
            positives=positives,
            negatives=negatives,
            message=message,
        )
        return await self._connection.read(Feedback, "POST", f"/feedback/add/{stream_id}", body)

    async def read(self, feedback_id: int) -> Feedback:
        return await self._connection.read(Feedback, "GET", f"/feedback/{feedback_id}")

    async def delete(self, feedback_id: int) -> None:
        await self._connection.ask("DELETE", f"/feedback/delete/{feedback_id}")

    async def list(self, *, skip: int = 0, limit: int = 100) -> list[Feedback]:
        query = {"skip": skip, "limit": limit}
        return await self._connection.read(list[Feedback], "GET", "/feedbacks", query=query)
