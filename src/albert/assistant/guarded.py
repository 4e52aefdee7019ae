"""A model's answer with its addresses checked, while it is being written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from albert.assistant.closing import closing
from albert.assistant.contract import Answerer, Event, Finish, Piece, Question, Sources
from albert.domain.errors import AlbertError
from albert.guard.contract import Guard, Guarding


class GuardedAnswerer:
    """Passes on what ``answerer`` says, its pieces guarded; findings ride on ``Finish``.

    At most the word or the number being written is held back. An error comes after
    what was held; leaving the answer leaves the one behind.
    """

    def __init__(self, answerer: Answerer, guard: Guard) -> None:
        self._answerer = answerer
        self._guard = guard

    @property
    def model(self) -> str:
        return self._answerer.model

    async def answer(self, question: Question) -> AsyncIterator[Event]:
        text = self._guard.open((), question.checks)
        async with closing(self._answerer.answer(question)) as events:
            try:
                async for event in events:
                    if isinstance(event, Sources):
                        text = self._guard.open(event.chunks, question.checks)
                    for said in _told(event, text):
                        yield said
            except AlbertError:
                if rest := text.end():
                    yield Piece(rest)
                raise


def _told(event: Event, text: Guarding) -> list[Event]:
    """Return what is passed on of an event: nothing of a piece that is all held back."""
    if isinstance(event, Piece):
        shown = text.feed(event.text)
        return [Piece(shown)] if shown else []
    if isinstance(event, Finish):
        rest = text.end()
        finish = replace(event, findings=(*event.findings, *text.findings))
        return [Piece(rest), finish] if rest else [finish]
    return [event]
