"""Who answers in the place of a model that is down, as its entry of the table says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from albert.assistant.closing import closing
from albert.assistant.contract import Answerer, Event, Question, Sources
from albert.domain.errors import ModelDown


class SubstitutedAnswerer:
    """Lets a model answer, or ``substitute()`` where no replica of it does.

    The first event is held until the model speaks: so nothing is told twice, and
    ``Sources.model`` says who answers in the end.
    """

    def __init__(self, answerer: Answerer, substitute: Callable[[], Answerer | None]) -> None:
        self._answerer = answerer
        self._substitute = substitute

    @property
    def model(self) -> str:
        return self._answerer.model

    async def answer(self, question: Question) -> AsyncIterator[Event]:
        spoken = False
        try:
            async with closing(_held(self._answerer, question)) as events:
                async for event in events:
                    spoken = True
                    yield event
        except ModelDown:
            if spoken or (other := self._substitute()) is None:
                raise
        else:
            return
        async with closing(other.answer(question)) as events:
            async for event in events:
                if isinstance(event, Sources):
                    event = replace(event, model=event.model or other.model)
                yield event


async def _held(answerer: Answerer, question: Question) -> AsyncIterator[Event]:
    """Yield what is said, the sources with what comes after them."""
    held: Sources | None = None
    async with closing(answerer.answer(question)) as events:
        async for event in events:
            if isinstance(event, Sources):
                held = event
                continue
            if held is not None:
                yield held
                held = None
            yield event
