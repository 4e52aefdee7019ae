"""The program ``albert``: its verbs, and how a mistake is told."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from albert import __version__
from albert.cli import ask, corpus, evaluate, index, up
from albert.cli.console import say
from albert.domain.errors import AlbertError
from albert.domain.mishaps import mishap

app = typer.Typer(
    name="albert",
    help="Albert, l'assistant souverain de l'administration : il répond depuis les fiches "
    "officielles de l'État, avec ses sources.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(corpus.app, name="corpus")
app.add_typer(index.app, name="index")
app.add_typer(evaluate.app, name="eval")
app.command("ask")(ask.ask)
app.command("chat")(ask.chat)
app.command("search")(ask.search)
app.command("up")(up.up)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Affiche la version."),
) -> None:
    if version:
        typer.echo(f"albert {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    sys.exit(run(app))


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
