"""From a question and its passages to what the model reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from albert.domain.conversation import Circumstances, Message, Sampling
from albert.domain.documents import Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Messages that fit the model's window, and the passages that found room in them."""

    messages: tuple[Message, ...]
    quoted: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a mode reads, and its choices where the request makes none."""

    quotes: bool
    """It shows passages of the official sheets."""
    experiences: bool = False
    """It shows what users of public services told, too."""
    limit: int | None = None
    """Passages, of either kind."""
    sampling: Sampling = Sampling()


class Prompter(Protocol):
    def plan(self, mode: str) -> Plan:
        """Return what a mode needs before it can be composed.

        Raises:
            RequestError: no mode bears that name.
        """
        ...

    def prompt(
        self,
        question: str,
        *,
        passages: Sequence[Chunk] = (),
        experiences: Sequence[Chunk] = (),
        history: Sequence[Message] = (),
        mode: str = "rag",
        circumstances: Circumstances = Circumstances(),
        window: int,
        count: Callable[[str], int],
    ) -> Prompt:
        """Compose a prompt; drop the oldest exchanges, then the last passages, until it fits.

        ``experiences`` go before any other thing, all together, where they leave no
        room for the question.

        ``window`` is in tokens as ``count`` counts them, and leaves room for the answer.
        Pure: the same arguments always give the same prompt.

        Raises:
            PromptTooLong: the question alone does not fit.
            RequestError: no mode bears that name.
        """
        ...
