"""What is left out so that a conversation fits the model's window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albert.domain.conversation import Message
from albert.domain.errors import PromptTooLong

MESSAGE_TOKENS = 8
"""What a chat template adds around each message, at most, in the families we know."""


def exchanges(history: Sequence[Message]) -> list[tuple[Message, ...]]:
    """Cut a conversation before each user's message; re-joined, the exchanges are the history."""
    cut: list[list[Message]] = []
    for message in history:
        if message.role == "user" or not cut:
            cut.append([])
        cut[-1].append(message)
    return [tuple(exchange) for exchange in cut]


def size(messages: Sequence[Message], count: Callable[[str], int]) -> int:
    """Tokens of the messages with what surrounds them."""
    return sum(count(message.content) + MESSAGE_TOKENS for message in messages)


def fitting(
    compose: Callable[[int], Sequence[Message]],
    passages: int,
    history: Sequence[Message],
    *,
    window: int,
    count: Callable[[str], int],
) -> tuple[int, list[Message]]:
    """Return how many passages stay, and what stays of the history.

    ``compose(n)`` gives the other messages with the first ``n`` passages. The oldest
    exchanges go first, whole; when none is left, the last passages.

    Raises:
        PromptTooLong: nothing is left to drop, and it still does not fit.
    """
    room = window - size(compose(passages), count)
    kept: list[Message] = []
    for exchange in reversed(exchanges(history)):
        room -= size(exchange, count)
        if room < 0:
            break
        kept[:0] = exchange
    if kept or room >= 0:
        return passages, kept
    for fewer in range(passages, -1, -1):
        if size(compose(fewer), count) <= window:
            return fewer, []
    raise PromptTooLong
