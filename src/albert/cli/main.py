"""The program ``albert``: its verbs, and how a mistake is told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from albert import __version__
from albert.cli import french
from albert.cli.console import say
from albert.domain.errors import AlbertError
from albert.domain.mishaps import mishap

_ENV_FILE = "--env-file"


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is: a module of this package, and in it a function or a group (``app``)."""

    module: str
    name: str
    help: str

    def join(self, program: typer.Typer, verb: str) -> None:
        """Import the verb and make it part of the program."""
        found = getattr(import_module(f"albert.cli.{self.module}"), self.name)
        if isinstance(found, typer.Typer):
            program.add_typer(found, name=verb, help=self.help)
        else:
            program.command(verb, short_help=self.help)(found)


VERBS = {
    "up": Verb("up", "up", "Apprend les fiches si ce n'est fait, puis sert l'API."),
    "ask": Verb("ask", "ask", "Répond à une question, avec ses sources."),
    "chat": Verb("ask", "chat", "Tient une conversation."),
    "search": Verb("ask", "search", "Montre les extraits qui répondent le mieux."),
    "corpus": Verb("corpus", "app", "Les fiches : les rapporter, les lire, les compter."),
    "index": Verb("index", "app", "L'index : le construire, dire où il en est."),
    "serve": Verb(
        "serve", "app", "Un service seul : l'API, la passerelle, un modèle, les vecteurs."
    ),
    "models": Verb(
        "models", "app", "Les modèles : les télécharger, les lister, vérifier leur table."
    ),
    "privacy": Verb("privacy", "app", "Les données personnelles : effacer le trop ancien."),
    "whitelist": Verb(
        "whitelist", "app", "Les adresses connues : les apprendre, vérifier un texte."
    ),
    "user": Verb("user", "app", "Les comptes et les jetons : créer, accepter, lister, révoquer."),
    "db": Verb("database", "app", "La base : migrer, sauvegarder, restaurer, vérifier."),
    "limits": Verb("limits", "app", "Les limites : ce que comptes et rôles peuvent demander."),
    "usage": Verb("usage", "usage", "Ce qui a été demandé aux modèles, par qui, et son coût."),
    "doctor": Verb("doctor", "doctor", "Dit si cette machine est prête, et quoi faire sinon."),
    "deploy": Verb(
        "deploy", "app", "Le déploiement : unités systemd, conteneurs, hôtes, carte graphique."
    ),
    "eval": Verb("evaluate", "app", "Mesurer ce qu'Albert trouve et répond."),
}


def program(wanted: Collection[str] = tuple(VERBS)) -> typer.Typer:
    """Return the program. Only the verbs ``wanted`` are imported and can run.

    The others are listed in its help, which comes at once: each verb's own modules
    cost half a second to import.
    """
    made = typer.Typer(
        name="albert",
        help="Albert, l'assistant souverain de l'administration : il répond depuis les fiches "
        "officielles de l'État, avec ses sources.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback(invoke_without_command=True)(_root)
    for name, verb in VERBS.items():
        if name in wanted:
            verb.join(made, name)
        else:
            made.command(name, short_help=verb.help)(_listed)
    return made


def _listed() -> None:
    """Stand in the help for a verb that was not imported."""


def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Affiche la version."),
    env_file: Path | None = typer.Option(
        None,
        _ENV_FILE,
        metavar="FICHIER",
        help="Fichier de variables (NOM=valeur) ; l'environnement l'emporte sur lui, sauf pour "
        "« albert deploy », qui ne lit que lui.",
    ),
) -> None:
    context.obj = env_file  # read by ``main``; this one is for who wants to know which it was
    if env_file is not None:
        context.default_map = _with_file(context.command, str(env_file))
    if version:
        typer.echo(f"albert {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def _with_file(command: object, file: str) -> dict[str, Any]:
    """Return the defaults that make ``file`` the one of each verb that has an ``--env-file``."""
    if isinstance(command, TyperGroup):
        return {name: _with_file(one, file) for name, one in command.commands.items()}
    params = command.params if isinstance(command, TyperCommand) else []
    return {param.name: file for param in params if param.name and _ENV_FILE in param.opts}


def main() -> None:
    """Run the command line."""
    sys.exit(run(lambda: _run(sys.argv[1:])))  # Ctrl-C while it imports, too


def _run(words: Sequence[str]) -> None:
    """Read the file of variables, if one is said, before the verb is imported: as if the
    environment had had them when the program began.
    """
    verb, file = said(words)
    if file is not None:
        read_env_file(Path(file))
    sys.exit(french.start(program([verb])))


def said(words: Sequence[str]) -> tuple[str, str | None]:
    """Return the verb of a command line, and the file of variables that comes before it."""
    file = None
    rest = iter(words)
    for word in rest:
        if word == _ENV_FILE:
            file = next(rest, None)
        elif word.startswith(f"{_ENV_FILE}="):
            file = word.partition("=")[2]
        elif not word.startswith("-"):
            return word, file
    return "", file


def read_env_file(path: Path) -> None:
    """Let the variables of a file be read as if they were of the environment, which wins.

    Raises:
        EnvironmentInvalid
    """
    from albert.deploy.env_file import read  # what only those who have such a file wait for
    from albert.settings import add

    add(read(path))


def run(command: Callable[[], object]) -> int:
    """Run a command; a user's mistake is one sentence on the standard error, and status 1."""
    try:
        command()
    except AlbertError as error:
        say(f"Erreur : {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrompu.")
        return 130
    except BrokenPipeError:
        return 1
    except OSError as error:
        say(f"Erreur : {mishap(error)}")
        return 1
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0
