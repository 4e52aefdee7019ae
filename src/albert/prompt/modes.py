"""The ways of asking a model: one template each, with a block for each message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import FunctionLoader, StrictUndefined, Template, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from albert.domain.errors import RequestError
from albert.prompt.quotation import QuotedChunk

MODES = ("rag", "simple")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What a template may name; everything in it is neutral already.

    ``search_query`` is the question as it was searched for, ``limit`` the number of
    passages wanted; ``chunks`` those that found room.
    """

    query: str
    search_query: str
    chunks: Sequence[QuotedChunk] = ()
    limit: int = 0
    context: str = ""
    links: str = ""
    institution: str = ""
    operators: Sequence[str] = ()
    themes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Mode:
    """A template, read; ``quotes`` says whether it shows passages at all."""

    name: str
    quotes: bool
    template: Template

    def render(self, block: str, variables: Variables) -> str:
        """Return the text of block ``"system"`` or ``"user"``, without blanks around it."""
        named = {name: getattr(variables, name) for name in Variables.__slots__}
        return "".join(self.template.blocks[block](self.template.new_context(named))).strip()


def built_in_modes() -> dict[str, Mode]:
    """Read the templates that come with the package, by name of mode."""
    # plain text for a model, not HTML: ``quotation`` makes each variable harmless instead
    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return {
        name: Mode(
            name,
            "chunks" in meta.find_undeclared_variables(environment.parse(_source(name))),
            environment.get_template(name),
        )
        for name in MODES
    }


def mode_named(modes: dict[str, Mode], name: str) -> Mode:
    """Return the mode.

    Raises:
        RequestError: none bears that name; the message lists those there are.
    """
    if (mode := modes.get(name)) is None:
        raise RequestError(
            f"Aucun mode ne s'appelle {name!r} : choisissez parmi {', '.join(sorted(modes))}."
        )
    return mode


def _source(name: str) -> str:
    return (files("albert.prompt") / "templates" / f"{name}.jinja").read_text("utf-8")
