"""A prompter without templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albert.domain.conversation import Circumstances, Message
from albert.domain.documents import Chunk
from albert.domain.errors import RequestError
from albert.prompt.budget import fitting
from albert.prompt.contract import Plan, Prompt


class PlainPrompter:
    """Passages as they are, then history, then the question; modes are rag and simple."""

    def plan(self, mode: str) -> Plan:
        return Plan(quotes=_known(mode) == "rag")

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
        shown = passages if _known(mode) == "rag" else ()

        def compose(kept: int) -> tuple[Message, Message]:
            context = "\n\n".join(chunk.passage for chunk in shown[:kept])
            return Message("system", context), Message("user", question)

        kept, before = fitting(compose, len(shown), history, window=window, count=count)
        context, asked = compose(kept)
        return Prompt(messages=(context, *before, asked), quoted=tuple(shown[:kept]))


def _known(mode: str) -> str:
    if mode not in {"rag", "simple"}:
        raise RequestError(f"Aucun mode ne s'appelle {mode!r} : choisissez rag ou simple.")
    return mode
