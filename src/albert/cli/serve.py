"""``albert serve``: one part of Albert as a service of its own, until Ctrl-C."""

from __future__ import annotations

import typer

from albert.cli.gateway import gateway
from albert.cli.serve_api import api
from albert.cli.serve_embeddings import embeddings
from albert.cli.serve_llm import llm

app = typer.Typer(no_args_is_help=True)
app.command("api")(api)
app.command("gateway")(gateway)
app.command("llm")(llm)
app.command("embeddings")(embeddings)
