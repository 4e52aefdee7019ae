"""``albert serve``: one model as a service of its own, until Ctrl-C."""

from __future__ import annotations

import typer

from albert.cli.serve_llm import llm

app = typer.Typer(no_args_is_help=True)
app.command("llm")(llm)


@app.callback()
def services() -> None:
    """Keep « serve » a group, however few its verbs."""
