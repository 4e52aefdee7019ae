"""``albert serve``: one part of Albert as a service of its own, until Ctrl-C."""

from __future__ import annotations

import typer

from albert.cli.gateway import gateway

app = typer.Typer(no_args_is_help=True)
app.command("gateway")(gateway)


@app.callback()
def services() -> None:
    """Keep « serve » a group, however few its verbs."""
