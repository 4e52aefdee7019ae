"""``docs/commandes.md``: every verb and option, written from the program itself.

``python -m albert.cli.reference > docs/commandes.md`` writes the page again.
"""

from __future__ import annotations

from collections.abc import Iterator

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from albert.cli.console import show
from albert.cli.main import program

_BEGINNING = (
    "# Les commandes\n\n"
    "Cette page est écrite par le programme lui-même : `python -m albert.cli.reference`.\n"
    "Chaque commande accepte `--help` (`-h`), et toutes lisent d'abord les variables d'un fichier "
    "si on le dit avant elles : `albert --env-file FICHIER COMMANDE`. L'environnement l'emporte "
    "sur le fichier, sauf pour `albert deploy`, qui ne lit que lui."
)
Verb = tuple[str, TyperCommand]


def verbs() -> list[Verb]:
    """Return every command with its whole name (``"albert corpus fetch"``), in order."""
    return list(_below("albert", get_command(program())))


def page() -> str:
    """Return the page in Markdown."""
    return "\n\n".join([_BEGINNING, *(_section(name, verb) for name, verb in verbs())]) + "\n"


def _below(name: str, command: object) -> Iterator[Verb]:
    if isinstance(command, TyperGroup):
        for verb, inner in command.commands.items():
            yield from _below(f"{name} {verb}", inner)
    elif isinstance(command, TyperCommand):
        yield name, command


def _section(name: str, verb: TyperCommand) -> str:
    lines = [f"## {name}", "", verb.help or ""]
    told = [_line(param) for param in verb.params]
    return "\n".join([*lines, "", *filter(None, told)]).rstrip()


def _line(param: object) -> str:
    if isinstance(param, TyperOption) and not param.hidden:
        return f"- `{', '.join(param.opts)}` : {param.help}"
    if isinstance(param, TyperArgument):
        return f"- *{param.metavar or param.name}* : {param.help}"
    return ""


if __name__ == "__main__":
    show(page().rstrip("\n"))
