"""The ways of asking a model, each with its words, its defaults and what it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from albert.domain.conversation import Circumstances, Sampling
from albert.domain.errors import RequestError
from albert.prompt.contract import Plan
from albert.prompt.quotation import QuotedChunk
from albert.prompt.sandbox import BoundedTemplate

_SHEETS = re.compile(r"chunks|(?:sheets?|chunks?)_(?:chunks|collection)")
"""What passages of the official sheets are called in templates, the first generation's included."""
_EXPERIENCES = re.compile(r"experiences?_(?:chunks|collection)|most_similar_experience")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What a template may name; everything in it is neutral already.

    ``search_query`` is the question as it was searched for, ``limit`` the number of
    passages wanted; ``chunks`` those that found room.
    """

    query: str
    search_query: str
    chunks: Sequence[QuotedChunk] = ()
    experiences: Sequence[QuotedChunk] = ()
    limit: int = 0
    context: str = ""
    links: str = ""
    institution: str = ""
    operators: Sequence[str] = ()
    themes: Sequence[str] = ()

    def named(self, name: str) -> object:
        """Return what a template calls so."""
        if _SHEETS.fullmatch(name):
            return self.chunks
        if name == "most_similar_experience":
            return self.experiences[0].text if self.experiences else ""
        if _EXPERIENCES.fullmatch(name):
            return self.experiences
        return getattr(self, name)


_PLAIN = frozenset(field.name for field in fields(Variables)) - {"experiences"}


def is_known(name: str) -> bool:
    """Whether a template may use a variable of that name."""
    return bool(name in _PLAIN or _SHEETS.fullmatch(name) or _EXPERIENCES.fullmatch(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """A way of asking: the system's words, and the template of the question."""

    name: str
    system: str
    template: BoundedTemplate
    sampling: Sampling = Sampling()
    limit: int | None = None
    circumstances: Circumstances = Circumstances()

    @property
    def quotes(self) -> bool:
        """Whether it shows passages of the official sheets at all."""
        return any(map(_SHEETS.fullmatch, self.template.names))

    @property
    def plan(self) -> Plan:
        tells = any(map(_EXPERIENCES.fullmatch, self.template.names))
        return Plan(quotes=self.quotes, experiences=tells, limit=self.limit, sampling=self.sampling)

    def render(self, variables: Variables) -> str:
        """Return what the user's message says.

        Raises:
            PromptConfigInvalid: the template fails.
        """
        names = self.template.names
        return self.template.render({name: variables.named(name) for name in names})

    def around(self, said: Circumstances) -> Circumstances:
        """Return what is known around a question: what the request says, else our defaults."""
        ours = self.circumstances
        return Circumstances(
            context=said.context or ours.context,
            links=said.links or ours.links,
            institution=said.institution or ours.institution,
            operators=said.operators or ours.operators,
            themes=said.themes or ours.themes,
        )


def mode_named(modes: Mapping[str, Mode], name: str) -> Mode:
    """Return the mode.

    Raises:
        RequestError: none bears that name; the message lists those there are.
    """
    if (mode := modes.get(name)) is None:
        raise RequestError(
            f"Aucun mode ne s'appelle {name!r} : choisissez parmi {', '.join(sorted(modes))}."
        )
    return mode


_SAMPLE = QuotedChunk(title="Titre", text="Texte", url="https://exemple.fr", date="2026-01-01")
_FULL = Variables(
    query="Question",
    search_query="Question",
    chunks=(_SAMPLE, _SAMPLE),
    experiences=(_SAMPLE, _SAMPLE),
    limit=2,
    context="Contexte",
    links="https://exemple.fr",
    institution="Institution",
    operators=("Opérateur",),
    themes=("Thème",),
)
_BARE = Variables(query="Question", search_query="Question")


def try_out(mode: Mode) -> None:
    """Render a mode with everything, and with the question alone, so that mistakes show at once.

    Raises:
        PromptConfigInvalid
    """
    for variables in (_FULL, _BARE):
        mode.render(variables)
