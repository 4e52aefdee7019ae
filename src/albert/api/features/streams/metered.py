"""Answers of conversations, within the limits of whoever asks, and counted as calls are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from albert.api.call import Call
from albert.api.services import Services
from albert.asgi.problems import Problem, problem_of
from albert.assistant.closing import closing
from albert.assistant.contract import Answerer, Event, Piece, Question, Sources
from albert.domain.errors import AlbertError

OPERATION = "stream"
"""Of usage and metrics: what is asked in a conversation."""
_LEFT = 499
_UNSAID = 1024
"""Tokens that an answer is expected to have at most: for limits."""
_CHARACTERS_A_TOKEN = 4


class MeteredAnswerer:
    """Admits one answer, then tells what it cost, in the background: counting takes a while."""

    def __init__(self, answerer: Answerer, call: Call, services: Services) -> None:
        self._answerer = answerer
        self._call = call
        self._services = services
        self._said: list[str] = []
        self._read = ""

    @property
    def model(self) -> str:
        return self._answerer.model

    async def answer(self, question: Question) -> AsyncIterator[Event]:
        """Raises ``LimitExceeded`` before the first event."""
        call, services = self._call, self._services
        call.started = time.perf_counter()
        call.reserved = len(question.text) // _CHARACTERS_A_TOKEN + _UNSAID
        await services.limiter.admit(call)
        services.recorder.began(call)
        call.status = _LEFT
        try:
            async with closing(self._answerer.answer(question)) as events:
                async for event in events:
                    self._hear(event)
                    yield event
            call.status = 200
        except Problem as problem:
            call.status = problem.status
            raise
        except AlbertError as error:
            call.status = problem_of(error).status
            raise
        finally:
            call.ended = time.perf_counter()
            if not services.background.start(self._count()):
                self._tell()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Sources):
            self._read, self._call.answered_by = event.prompt, event.model
        elif isinstance(event, Piece):
            self._call.first = self._call.first or time.perf_counter()
            self._said.append(event.text)

    async def _count(self) -> None:
        count = self._services.embedder.token_count
        try:
            self._call.prompt_tokens = await asyncio.to_thread(count, self._read)
            said = "".join(self._said)
            self._call.completion_tokens = await asyncio.to_thread(count, said)
        finally:
            self._tell()

    def _tell(self) -> None:
        self._services.limiter.settle(self._call)
        self._services.recorder.ended(self._call)
