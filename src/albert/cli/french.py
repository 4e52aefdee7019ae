"""What typer says of a command line, in French: its help, and what was typed wrong.

typer has its own copy of click, without click's translations: so its private modules are read
here, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import typer
from typer._click.core import Command, Context
from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    ClickException,
    MissingParameter,
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)
from typer._click.formatting import HelpFormatter
from typer._coercion import TypeDescriptor
from typer._param_types import choice_as_str
from typer.core import TyperArgument, TyperGroup, TyperOption
from typer.main import get_command

from albert.cli.console import say

_HEADINGS = {"Arguments": "Arguments", "Options": "Options", "Commands": "Commandes"}
_PLACES = {"COMMAND [ARGS]...": "COMMANDE [ARGUMENTS]..."}
_TYPES = {
    "<int range>": "<entier>",
    "<int>": "<entier>",
    "<float range>": "<nombre>",
    "<float>": "<nombre>",
    "<str>": "<texte>",
    "<list[str]>": "<textes>",
    "<path>": "<chemin>",
}
_REMARKS = {
    "Show this message and exit.": "Montre cette aide.",
    "[required]": "[obligatoire]",
    "[default: ": "[sinon : ",
}
_NUMBERS = {int: "un nombre entier", float: "un nombre"}


def start(app: typer.Typer) -> int:
    """Run what was typed, and return the exit status; 2 where it cannot be understood."""
    command = get_command(app)
    _speak(command)
    try:
        status = command(standalone_mode=False)
    except NoArgsIsHelpError as shown:
        shown.show()
        return shown.exit_code
    except ClickException as error:
        say(f"Erreur : {told(error)}")
        return error.exit_code
    except typer.Abort:  # the end of what is typed, where something was asked
        say("Interrompu.")
        return 1
    return status if isinstance(status, int) else 0


def told(error: ClickException) -> str:
    """Return what is wrong, and where to read what is right."""
    context = error.ctx if isinstance(error, UsageError) else None
    end = f" : voyez « {context.command_path} --help »." if context else "."
    return _wrong(error) + end


def _wrong(error: ClickException) -> str:
    match error:
        case NoSuchOption(option_name=option, possibilities=near):
            meant = f", vouliez-vous dire {' ou '.join(sorted(near))}" if near else ""
            return f"{option} n'est pas une option{meant}"
        case BadOptionUsage(option_name=option):
            takes = "ne prend pas de valeur" if "not take" in error.message else "veut une valeur"
            return f"{option} {takes}"
        case MissingParameter(param=param) if param is not None:
            return f"Il manque {_named(param.get_error_hint())}"
        case BadParameter(param=TyperArgument() | TyperOption() as param):
            wanted = _wanted(param.type_descriptor, param.min, param.max)
            return f"{_named(param.get_error_hint())} ne peut valoir cela{wanted}"
        case BadParameter(param_hint=str(hint)):
            return f"{hint} : {error.message}"
    return _of_words(error.message)


def _named(hint: str) -> str:
    return hint.replace("'", "")


def _wanted(of: TypeDescriptor, least: float | None, most: float | None) -> str:
    if of.choices is not None:
        return f", il faut {' ou '.join(map(choice_as_str, of.choices))}"
    kind = of.annotation
    found = [_NUMBERS[kind]] if isinstance(kind, type) and kind in _NUMBERS else []
    found += [f"au moins {least}"] if least is not None else []
    found += [f"au plus {most}"] if most is not None else []
    return f", il faut {', '.join(found)}" if found else ""


def _of_words(message: str) -> str:
    """Return in French what typer has no class for."""
    if found := re.fullmatch(r"No such command (.*?)\.(?: Did you mean (.*)\?)?", message):
        near = (found[2] or "").replace("'", "").replace(", ", " ou ")
        meant = f", vouliez-vous dire {near}" if near else ""
        return f"« {found[1][1:-1]} » n'est pas une commande{meant}"
    if found := re.fullmatch(r"Got unexpected extra argument\(s\) \((.*)\)", message):
        return f"« {found[1]} » est de trop"
    return "Il manque une commande" if message == "Missing command." else message


class _Formatter(HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, _replaced(args, _PLACES), prefix or "Usage : ")

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{_HEADINGS.get(heading, heading)} :\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        told = [(_replaced(name, _TYPES), _replaced(text, _REMARKS)) for name, text in rows]
        super().write_dl(told, col_max, col_spacing)


def _replaced(text: str, words: dict[str, str]) -> str:
    for english, french in words.items():
        text = text.replace(english, french)
    return text


class _Context(Context):
    formatter_class = _Formatter


def _speak(command: Command) -> None:
    command.context_class = _Context
    if isinstance(command, TyperGroup):
        for inner in command.commands.values():
            _speak(inner)
