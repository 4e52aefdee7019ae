"""Answering with a language model that reads the passages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from albert.assistant.contract import Citation, Event, Finish, Piece, Question, Sources
from albert.assistant.finding import checked, find, told
from albert.assistant.phrases import listed
from albert.domain.conversation import Message, Sampling
from albert.inference.contract import ChatModel
from albert.prompt.contract import Plan, Prompter
from albert.retrieval.contract import Retriever

_ANSWER = 0.25
"""Share of the model's window kept for its answer, when nobody sets a length."""
_MOST = 0.5
"""The same when the mode sets it: written for a larger window, it would leave no room to ask."""


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
        plan = self._prompter.plan(question.mode)
        question = replace(question, limit=question.limit or plan.limit)
        hits = await find(self._retriever, question) if plan.quotes else []
        beside = await told(self._retriever, question) if plan.experiences else []
        sampling = self._sampling(question, plan)
        kept = sampling.max_tokens or 0
        prompt = self._prompter.prompt(
            text,
            passages=[hit.chunk for hit in hits],
            experiences=[hit.chunk for hit in beside],
            history=question.history,
            mode=question.mode,
            circumstances=question.circumstances,
            window=self._chat.window - kept,
            count=self._chat.count,
        )
        yield Sources(prompt.quoted, _as_sent(prompt.messages))
        async with aclosing(self._chat.stream(prompt.messages, sampling)) as pieces:
            async for piece in pieces:
                yield Piece(piece)
        citations = tuple(Citation(chunk) for chunk in prompt.quoted)
        if citations:
            yield Piece(f"\n\n{listed(citations, self._newest())}")
        yield Finish(citations=citations, mode="model")

    def _sampling(self, question: Question, plan: Plan) -> Sampling:
        """Return the request's choices, then the mode's; always a length, or some never end."""
        window = self._chat.window
        kept = question.sampling.max_tokens or int(window * _ANSWER)
        if question.sampling.max_tokens is None and plan.sampling.max_tokens is not None:
            kept = min(plan.sampling.max_tokens, int(window * _MOST))
        return replace(question.sampling.over(plan.sampling), max_tokens=kept)


def _as_sent(messages: Sequence[Message]) -> str:
    said = [{"role": message.role, "content": message.content} for message in messages]
    return json.dumps(said, ensure_ascii=False)
