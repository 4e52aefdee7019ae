"""From a question and its passages to what the model reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from albert.domain.conversation import Circumstances, Message
from albert.domain.documents import Chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Messages that fit the model's window, and the passages that found room in them."""

    messages: tuple[Message, ...]
    quoted: tuple[Chunk, ...]


class Prompter(Protocol):
    def prompt(
        self,
        question: str,
        *,
        passages: Sequence[Chunk] = (),
        history: Sequence[Message] = (),
        mode: str = "rag",
        circumstances: Circumstances = Circumstances(),
        window: int,
        count: Callable[[str], int],
    ) -> Prompt:
        """Compose a prompt; drop the oldest exchanges, then the last passages, until it fits.

        ``window`` is in tokens as ``count`` counts them, and leaves room for the answer.
        Pure: the same arguments always give the same prompt.

        Raises:
            PromptTooLong: the question alone does not fit.
            RequestError: no mode bears that name.
        """
        ...
