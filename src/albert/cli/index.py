"""``albert index``: words first, then vectors, the most useful first."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from albert.cli.console import say, show
from albert.cli.learn import learn_vectors, learn_words
from albert.cli.start import albert
from albert.index.builds import installed
from albert.index.contract import Coverage

app = typer.Typer(help="L'index : le construire, dire où il en est.", no_args_is_help=True)


class Wait(StrEnum):
    words = "words"
    sheets = "sheets"
    all = "all"


@app.command()
def build(
    wait: Annotated[
        Wait,
        typer.Option(
            help="Jusqu'où attendre : les mots (secondes), un vecteur par fiche (minutes), "
            "un par extrait (plus d'une heure sur deux cœurs, une seule fois)."
        ),
    ] = Wait.words,
    force: Annotated[bool, typer.Option("--force", help="Refait l'index des mots.")] = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Construit l'index des mots, puis les vecteurs qui manquent ; se reprend où il en était."""
    if background:
        _stand_back()
    one = albert()
    learn_words(one, force=force)
    if wait is Wait.words:
        say("Les vecteurs se calculent pendant qu'Albert sert (albert up), ou avec --wait all.")
        return
    coverage = asyncio.run(learn_vectors(one, "sheets" if wait is Wait.sheets else "all"))
    say(told(coverage))


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False) -> None:
    """Dit de quand date l'index, et où en sont les vecteurs."""
    one = albert()
    coverage = one.engine.coverage()
    metadata = installed(one.home.index)
    with one.store() as store:
        current = metadata is not None and metadata.fingerprint == store.inputs
    if as_json:
        answer = {"coverage": coverage, "index": metadata, "up_to_date": current}
        show(orjson.dumps(answer).decode())
        return
    show(told(coverage))
    if metadata is not None:
        show(f"Construit le {metadata.created}, pour le modèle {metadata.model}.")
    if not current:
        show("Le corpus a changé depuis : lancez « albert index build ».")


def _stand_back() -> None:
    """Leave the cores to others, and end with the process that holds our standard input."""
    os.nice(10)

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def told(coverage: Coverage) -> str:
    """Say how far the index is."""
    return (
        f"Mots : {coverage.chunks} extraits de {coverage.sheets} fiches. "
        f"Vecteurs : {coverage.sheets_embedded}/{coverage.sheets} fiches, "
        f"{coverage.passages_embedded}/{coverage.chunks} extraits."
    )
