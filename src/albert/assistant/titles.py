"""A conversation's title: at most eight words of its first question, or a model's own."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError
from albert.inference.contract import ChatModel
from albert.prompt.quotation import neutral

Titler = Callable[[str], Awaitable[str]]
"""Gives a question a title; may take seconds."""

WORDS = 8
CHARACTERS = 80
_CUT = "…"
_SECONDS = 20.0
_READ = 1000
"""Characters of the question that are shown to the model."""

_TO_WHOM = r"madame|monsieur|mesdames|messieurs|albert|à (?:tous|toutes|vous)|et|l['’]équipe"
_OPENING = re.compile(
    rf"(?:(?:bonjour|bonsoir|salut|coucou|hello)\b(?:[\s,]+(?:{_TO_WHOM})\b)*[\s,;:.!…–—-]*"
    rf"|(?:madame|monsieur|mesdames|messieurs)(?:[\s,]+(?:{_TO_WHOM})\b)*\s*,\s*)",
    re.IGNORECASE,
)
_DRESSING = " \t\"'“”«»*_#`.:"
"""What models put around a title."""
_LABEL = re.compile(r"^(?:titre|title)\s*:\s*", re.IGNORECASE)
_INSTRUCTION = (
    "Tu donnes un titre à une conversation. Réponds par le titre seul, en français : "
    "huit mots au plus, sans guillemets ni point final. Ne réponds pas à la question."
)


def title_of(question: str) -> str:
    """Return a title of at most 8 words and 80 characters, on one line.

    Greetings at the beginning go, unless there is nothing else; what was cut ends with
    "…". Without anything to read the title is empty. ``title_of(title_of(q)) == title_of(q)``.
    """
    said = " ".join(_visible(question).split())
    while (opening := _OPENING.match(said)) and opening.end() < len(said):
        said = said[opening.end() :]
    said = said[:1].upper() + said[1:]
    words = said.split()
    if len(words) <= WORDS and len(said) <= CHARACTERS:
        return said
    return _cut(words[:WORDS])


def _visible(text: str) -> str:
    """Drop what cannot be seen (controls, direction marks, halves of characters); blanks stay."""
    return "".join(
        char for char in text if char.isspace() or unicodedata.category(char) not in _UNSEEN
    )


_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def _cut(words: list[str]) -> str:
    room = CHARACTERS - len(_CUT)
    kept = " ".join(words).removesuffix(_CUT)
    if len(kept) > room:
        shorter = kept[: room + 1].rpartition(" ")[0]
        kept = shorter or kept[:room]
    return kept.rstrip(" ,;:.!?–—-") + _CUT


class ModelTitler:
    """Has a model entitle questions; where it cannot, their own words do."""

    def __init__(self, chat: ChatModel, *, seconds: float = _SECONDS) -> None:
        self._chat = chat
        self._seconds = seconds

    async def title(self, question: str) -> str:
        """Return a title as ``title_of`` would have it; never fails."""
        own = title_of(question)
        messages = (
            Message("system", _INSTRUCTION),
            Message("user", f"Question : {neutral(question[:_READ])}\n\nTitre :"),
        )
        try:
            async with asyncio.timeout(self._seconds):
                said = await self._ask(messages)
        except (InferenceError, TimeoutError):
            return own
        return _undressed(said) or own

    async def _ask(self, messages: tuple[Message, ...]) -> str:
        pieces = []
        async with aclosing(
            self._chat.stream(messages, Sampling(temperature=0.2, max_tokens=24))
        ) as stream:
            async for piece in stream:
                pieces.append(piece)  # noqa: PERF401 — each comes when the model writes it
        return "".join(pieces)


def _undressed(said: str) -> str:
    """Return the title among what a model said; empty where there is none."""
    lines = [line for line in said.splitlines() if line.strip(_DRESSING)]
    if not lines or "<" in lines[0]:  # silence, or a model that thinks aloud
        return ""
    title = title_of(_LABEL.sub("", lines[0].strip(_DRESSING)).strip(_DRESSING))
    return title if any(char.isalpha() for char in title) else ""
