"""An answerer that goes at the pace it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from albert.assistant.contract import EXTRACTIVE, Event, Finish, Piece, Question, Sources
from albert.domain.errors import AlbertError


class PacedAnswerer:
    """Says what ``say`` gives it, when it gives it; ``end`` or ``fail`` closes the answer.

    ``begun`` is set by each question, ``closed`` when its answer ended or was closed;
    ``questions`` are those that were asked.
    """

    def __init__(self, model: str = EXTRACTIVE) -> None:
        self.model = model
        self.questions: list[Question] = []
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()
        self._said: asyncio.Queue[str | AlbertError | None] = asyncio.Queue()

    def say(self, *pieces: str) -> None:
        for piece in pieces:
            self._said.put_nowait(piece)

    def end(self) -> None:
        self._said.put_nowait(None)

    def fail(self, error: AlbertError) -> None:
        self._said.put_nowait(error)

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        self.questions.append(question)
        self.begun.set()
        try:
            yield Sources((), prompt=question.text)
            while (said := await self._said.get()) is not None:
                if isinstance(said, AlbertError):
                    raise said
                yield Piece(said)
            yield Finish(citations=(), mode="model")
        finally:
            self.closed.set()
