"""The prompter whose words are in templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from albert.domain.conversation import Circumstances, Message
from albert.domain.documents import Chunk
from albert.domain.errors import PromptTooLong
from albert.prompt.budget import fitting
from albert.prompt.config import built_in
from albert.prompt.contract import Plan, Prompt
from albert.prompt.modes import Mode, Variables, mode_named
from albert.prompt.quotation import neutral, neutral_attribute, quoted


class TemplatePrompter:
    """Composes prompts from the templates of ``modes``, or of those that come with Albert.

    Whatever comes from outside (question, history, passages) is made neutral: it
    cannot close a passage's delimiter, open another, or speak for another role.
    """

    def __init__(self, modes: Callable[[], Mapping[str, Mode]] | None = None) -> None:
        """``modes`` is asked each time: a configuration may change while we serve."""
        ours = built_in().modes("") if modes is None else {}
        self._modes = modes or (lambda: ours)

    def plan(self, mode: str) -> Plan:
        return mode_named(self._modes(), mode).plan

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
        """Put the client's own system messages after ours: models want a single one, first."""
        chosen = mode_named(self._modes(), mode)
        safe = [Message(message.role, neutral(message.content)) for message in history]
        wishes = [message.content for message in safe if message.role == "system"]
        system = "\n\n".join(filter(None, (chosen.system, *wishes)))
        said = [message for message in safe if message.role != "system"]
        writing = _Writing(chosen, system, question, circumstances)
        shown = passages if chosen.quotes else ()

        def fit(told: Sequence[Chunk]) -> Prompt:
            compose = writing.composer(shown, told)
            kept, before = fitting(compose, len(shown), said, window=window, count=count)
            *first, user = compose(kept)
            return Prompt(messages=(*first, *before, user), quoted=tuple(shown[:kept]))

        try:
            return fit(experiences)
        except PromptTooLong:
            if not experiences:
                raise
            return fit(())


class _Writing:
    """One question, ready to be written with as many passages as there is room for."""

    def __init__(
        self, mode: Mode, system: str, question: str, circumstances: Circumstances
    ) -> None:
        self._mode = mode
        self._first = (Message("system", system),) if system else ()
        self._query = neutral(question)
        self._around = mode.around(circumstances)

    def composer(
        self, passages: Sequence[Chunk], experiences: Sequence[Chunk]
    ) -> Callable[[int], tuple[Message, ...]]:
        """Return what writes the messages with the first so many passages."""
        shown = [quoted(chunk) for chunk in passages]
        told = [quoted(chunk) for chunk in experiences]
        around = self._around

        def compose(kept: int) -> tuple[Message, ...]:
            variables = Variables(
                query=self._query,
                search_query=self._query,
                chunks=shown[:kept],
                experiences=told,
                limit=len(shown),
                context=neutral(around.context),
                links=neutral(around.links),
                institution=neutral_attribute(around.institution),
                operators=[neutral_attribute(one) for one in around.operators],
                themes=[neutral_attribute(one) for one in around.themes],
            )
            return *self._first, Message("user", self._mode.render(variables))

        return compose
