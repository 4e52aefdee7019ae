"""``albert whitelist``: the addresses that a model may write, and a text checked against them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from albert.cli.console import say, show
from albert.cli.start import albert
from albert.guard.contract import CHECKS
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist

app = typer.Typer(
    help="Les adresses connues : les apprendre des fiches, vérifier un texte.",
    no_args_is_help=True,
)


@app.command()
def build(
    force: Annotated[bool, typer.Option("--force", help="Relit les fiches, même inchangées.")] = (
        False
    ),
) -> None:
    """Apprend les adresses, courriels et numéros des fiches et des annuaires."""
    one = albert()
    one.whitelist.current()
    say(told(one.learn_whitelist(force=force)))


@app.command()
def check(
    text: Annotated[list[str], typer.Argument(help="Le texte ; « - » : l'entrée standard.")],
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Montre un texte comme la garde le laisse passer ; sort en 1 si elle y change un mot."""
    one = albert()
    one.learn_whitelist()
    said = sys.stdin.read() if text == ["-"] else " ".join(text)
    guarding = AddressGuard(one.whitelist.current).open((), CHECKS)
    shown = guarding.feed(said) + guarding.end()
    if as_json:
        findings = [asdict(finding) for finding in guarding.findings]
        show(orjson.dumps({"text": shown, "findings": findings}).decode())
    else:
        show(shown)
        for finding in guarding.findings:
            say(f"{finding.found!r} : inconnu, remplacé par {finding.replaced_by}")
    if guarding.findings:
        raise typer.Exit(1)


def told(whitelist: Whitelist) -> str:
    """Say how much is known."""
    counts = whitelist.counts
    return (
        f"Liste blanche prête : {counts['url']} adresses, {counts['mail']} courriels, "
        f"{counts['number']} numéros."
    )
