"""Answerers that say what they are told to, and remember how they were used."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence

from albert.assistant.contract import EXTRACTIVE, Citation, Event, Finish, Piece, Question, Sources
from albert.domain.documents import Chunk
from albert.domain.errors import AlbertError


class ScriptedAnswerer:
    """Says ``pieces``, citing ``chunks``; then fails with ``error``, or never ends if ``endless``.

    ``heard`` holds the questions; ``asked`` is set by the first one, ``closed`` when an answer
    ended or was closed.
    """

    def __init__(
        self,
        pieces: Sequence[str] = (),
        *,
        chunks: Sequence[Chunk] = (),
        model: str = EXTRACTIVE,
        error: AlbertError | None = None,
        endless: bool = False,
    ) -> None:
        self._pieces = pieces
        self._chunks = tuple(chunks)
        self._model = model
        self._error = error
        self._endless = endless
        self.heard: list[Question] = []
        self.asked = threading.Event()
        self.closed = threading.Event()

    @property
    def model(self) -> str:
        return self._model

    async def answer(self, question: Question) -> AsyncGenerator[Event, None]:
        self.heard.append(question)
        self.asked.set()
        try:
            yield Sources(self._chunks)
            for text in self._pieces:
                yield Piece(text)
            if self._endless:
                await asyncio.Event().wait()
            if self._error is not None:
                raise self._error
            yield self._finish()
        finally:
            self.closed.set()

    def _finish(self) -> Finish:
        return Finish(
            citations=tuple(Citation(chunk, chunk.text) for chunk in self._chunks),
            mode="extractive" if self._model == EXTRACTIVE else "model",
            answered=bool(self._chunks),
        )
