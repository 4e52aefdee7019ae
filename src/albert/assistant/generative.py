"""Answering with a language model that reads the passages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from albert.assistant.contract import Citation, Event, Finish, Piece, Question, Sources
from albert.assistant.finding import checked, find
from albert.assistant.phrases import listed
from albert.domain.conversation import Message
from albert.inference.contract import ChatModel
from albert.prompt.contract import Prompter
from albert.retrieval.contract import Retriever

_ANSWER = 0.25
"""Share of the model's window kept for its answer, when the caller sets no length."""


class ModelAnswerer:
    """Finds passages, composes the prompt, and passes on what the model writes as it comes."""

    def __init__(
        self,
        retriever: Retriever,
        prompter: Prompter,
        model: ChatModel,
        *,
        newest: Callable[[], Mapping[str, str]],
    ) -> None:
        self._retriever = retriever
        self._prompter = prompter
        self._chat = model
        self._newest = newest

    @property
    def model(self) -> str:
        return self._chat.model

    async def answer(self, question: Question) -> AsyncIterator[Event]:
        """``PromptTooLong`` comes before any event; closing the iterator stops the model."""
        text = checked(question.text)
        simple = question.mode == "simple"
        hits = [] if simple else await find(self._retriever, question)
        kept = question.sampling.max_tokens or int(self._chat.window * _ANSWER)
        prompt = self._prompter.prompt(
            text,
            passages=[hit.chunk for hit in hits],
            history=question.history,
            mode=question.mode,
            circumstances=question.circumstances,
            window=self._chat.window - kept,
            count=self._chat.count,
        )
        yield Sources(prompt.quoted, _as_sent(prompt.messages))
        sampling = replace(question.sampling, max_tokens=kept)  # a small model may never end
        async with aclosing(self._chat.stream(prompt.messages, sampling)) as pieces:
            async for piece in pieces:
                yield Piece(piece)
        citations = tuple(Citation(chunk) for chunk in prompt.quoted)
        if citations:
            yield Piece(f"\n\n{listed(citations, self._newest())}")
        yield Finish(citations=citations, mode="model")


def _as_sent(messages: Sequence[Message]) -> str:
    said = [{"role": message.role, "content": message.content} for message in messages]
    return json.dumps(said, ensure_ascii=False)
