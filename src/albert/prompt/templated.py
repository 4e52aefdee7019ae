"""The prompter whose words are in templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albert.domain.conversation import Circumstances, Message
from albert.domain.documents import Chunk
from albert.prompt.budget import fitting
from albert.prompt.contract import Prompt
from albert.prompt.modes import Variables, built_in_modes, mode_named
from albert.prompt.quotation import neutral, neutral_attribute, quoted


class TemplatePrompter:
    """Composes prompts from the modes' templates, read once when it is made.

    Whatever comes from outside (question, history, passages) is made neutral: it
    cannot close a passage's delimiter, open another, or speak for another role.
    """

    def __init__(self) -> None:
        self._modes = built_in_modes()

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
        """Put the client's own system messages after ours: models want a single one, first."""
        chosen = mode_named(self._modes, mode)
        shown = [quoted(chunk) for chunk in passages] if chosen.quotes else []
        safe = [Message(message.role, neutral(message.content)) for message in history]
        query = neutral(question)
        wishes = [message.content for message in safe if message.role == "system"]
        said = [message for message in safe if message.role != "system"]

        def compose(kept: int) -> tuple[Message, Message]:
            variables = Variables(
                query=query,
                search_query=query,
                chunks=shown[:kept],
                limit=len(shown),
                context=neutral(circumstances.context),
                links=neutral(circumstances.links),
                institution=neutral_attribute(circumstances.institution),
                operators=[neutral_attribute(one) for one in circumstances.operators],
                themes=[neutral_attribute(one) for one in circumstances.themes],
            )
            system = "\n\n".join((chosen.render("system", variables), *wishes))
            return Message("system", system), Message("user", chosen.render("user", variables))

        kept, before = fitting(compose, len(shown), said, window=window, count=count)
        system, user = compose(kept)
        return Prompt(messages=(system, *before, user), quoted=tuple(passages[:kept]))
