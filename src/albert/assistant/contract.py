"""What is asked of the assistant, and what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from albert.domain.conversation import Circumstances, Message, Sampling
from albert.domain.documents import Chunk
from albert.guard.contract import CHECKS, Check, Finding
from albert.index.contract import EVERYTHING, Filter

LIMIT = 5
"""Passages that are read where neither request nor mode says how many."""

EXTRACTIVE = "albert-extractif"
"""The model that is none: quotes of the sheets, word for word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question and how to answer it; ``limit`` is a number of passages."""

    text: str
    history: tuple[Message, ...] = ()
    where: Filter = EVERYTHING
    limit: int | None = None
    """``None`` leaves it to the mode, else it is ``LIMIT``."""
    mode: str = "rag"
    sampling: Sampling = Sampling()
    circumstances: Circumstances = Circumstances()
    checks: frozenset[Check] = CHECKS
    """What is checked of an answer that a model writes; quotes need no check."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage an answer rests on, and what of it is quoted, word for word (maybe nothing)."""

    chunk: Chunk
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """The passages the answer may rest on; always the first event, empty when nothing was found.

    ``prompt`` is what was read to answer: for a model the JSON array of the messages
    sent to it, for extraction the question and the passages.
    """

    chunks: tuple[Chunk, ...]
    prompt: str = ""
    model: str = ""
    """Who answers, where it is not the model that was asked: that one is down."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The last event: what was cited, and how the answer was made."""

    citations: tuple[Citation, ...]
    mode: Literal["extractive", "model"]
    answered: bool = True
    """False when the sheets hold no answer and the text says whom to ask."""
    findings: tuple[Finding, ...] = ()
    """The addresses that a model made up, and what stands in their place."""


Event = Sources | Piece | Finish


class Answerer(Protocol):
    """Answers a question from the sheets; one for each model, extraction included."""

    @property
    def model(self) -> str: ...

    def answer(self, question: Question) -> AsyncIterator[Event]:
        """Yield ``Sources``, then pieces, then ``Finish``; closing the iterator stops all work.

        Raises:
            RequestError: the question cannot be asked.
            SearchError, InferenceError: before the first piece or between two.
        """
        ...
