"""From a conversation to the passages that its last question needs."""

from __future__ import annotations

from collections.abc import Sequence

from albert.assistant.contract import Question
from albert.domain.conversation import Message
from albert.domain.documents import ChunkId, Hit
from albert.domain.errors import QuestionInvalid
from albert.retrieval.contract import Retriever
from albert.retrieval.fusion import reciprocal_rank

LONGEST = 8000
"""Characters of a question; a longer one is a document, not a question."""
_TURNS = 3
"""User turns that are searched: the question and the two before it."""
_EARLIER = 0.5
"""What the earlier turns weigh against the question alone."""


def checked(text: str) -> str:
    """Return the question without blank ends.

    Raises:
        QuestionInvalid: empty, too long, or with control characters.
    """
    question = text.strip()
    if not question:
        raise QuestionInvalid("La question est vide : écrivez ce que vous cherchez.")
    if len(question) > LONGEST:
        raise QuestionInvalid(
            f"La question compte {len(question)} caractères : {LONGEST} au plus, raccourcissez-la."
        )
    if any((ord(c) < 32 and c not in "\n\r\t") or ord(c) == 127 for c in question):
        raise QuestionInvalid(
            "La question contient des caractères de contrôle : retirez-les, puis recommencez."
        )
    return question


def in_context(text: str, history: Sequence[Message]) -> str:
    """Return the question after the user's turns before it: what a short follow-up is about."""
    earlier = [message.content for message in history if message.role == "user"][-(_TURNS - 1) :]
    return "\n".join([*earlier, text])


async def find(retriever: Retriever, question: Question) -> list[Hit]:
    """Return at most ``question.limit`` passages for the question and what precedes it."""
    text = checked(question.text)
    alone = await retriever.retrieve(text, limit=question.limit, where=question.where)
    together = in_context(text, question.history)
    if together == text:
        return alone
    joined = await retriever.retrieve(together, limit=question.limit, where=question.where)
    hits: dict[ChunkId, Hit] = {hit.chunk.id: hit for hit in (*joined, *alone)}
    fused = reciprocal_rank(
        [([h.chunk.id for h in alone], 1.0), ([h.chunk.id for h in joined], _EARLIER)]
    )
    return [hits[chunk] for chunk, _ in fused[: question.limit]]
