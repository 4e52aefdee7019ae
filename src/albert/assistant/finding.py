"""From a conversation to the passages that its last question needs."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from albert.assistant.contract import LIMIT, Question
from albert.domain.conversation import Message
from albert.domain.documents import ANSWERING, ChunkId, Hit, SourceName
from albert.domain.errors import QuestionInvalid
from albert.index.contract import Filter
from albert.retrieval.contract import Retriever
from albert.retrieval.fusion import reciprocal_rank

LONGEST = 8000
"""Characters of a question; a longer one is a document, not a question."""
_UNREADABLE = ("Cc", "Cs")
"""Control characters, and halves of characters: no text that can be written holds them."""
_TURNS = 3
"""User turns that are searched: the question and the two before it."""
_EARLIER = 0.5
"""What the earlier turns weigh against the question alone."""


def checked(text: str) -> str:
    """Return the question without blank ends, its line ends made one.

    Raises:
        QuestionInvalid: empty, too long, or with characters that are no text.
    """
    question = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not question:
        raise QuestionInvalid("La question est vide : écrivez ce que vous cherchez.")
    if len(question) > LONGEST:
        raise QuestionInvalid(
            f"La question compte {len(question)} caractères : {LONGEST} au plus, raccourcissez-la."
        )
    if any(unicodedata.category(char) in _UNREADABLE and char not in "\n\t" for char in question):
        raise QuestionInvalid(
            "La question contient des caractères de contrôle : retirez-les, puis recommencez."
        )
    return question


def in_context(text: str, history: Sequence[Message]) -> str:
    """Return the question after the user's turns before it: what a short follow-up is about."""
    earlier = [message.content for message in history if message.role == "user"][-(_TURNS - 1) :]
    return "\n".join([*earlier, text])


async def told(retriever: Retriever, question: Question) -> list[Hit]:
    """Return what users of public services told on the matter; never cited as a source."""
    where = Filter(sources=frozenset((SourceName("experiences"),)))
    return await retriever.retrieve(
        checked(question.text), limit=question.limit or LIMIT, where=where
    )


async def find(retriever: Retriever, question: Question) -> list[Hit]:
    """Return at most ``question.limit`` passages for the question and what precedes it.

    They are of the sources that answers come from, whatever ``question.where`` says.
    """
    text = checked(question.text)
    sources = question.where.sources & ANSWERING if question.where.sources else ANSWERING
    if not sources:
        return []
    where = replace(question.where, sources=sources)
    limit = question.limit or LIMIT
    alone = await retriever.retrieve(text, limit=limit, where=where)
    together = in_context(text, question.history)
    if together == text:
        return alone
    joined = await retriever.retrieve(together, limit=limit, where=where)
    hits: dict[ChunkId, Hit] = {hit.chunk.id: hit for hit in (*joined, *alone)}
    fused = reciprocal_rank(
        [([h.chunk.id for h in alone], 1.0), ([h.chunk.id for h in joined], _EARLIER)]
    )
    return [hits[chunk] for chunk, _ in fused[:limit]]
