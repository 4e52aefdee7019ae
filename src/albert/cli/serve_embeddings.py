"""``albert serve embeddings``: the vectors' model as a service of its own."""

from __future__ import annotations

from typing import Annotated

import typer
import uvloop

from albert.asgi.run import serve
from albert.cli.console import say
from albert.cli.exposure import check_exposure, check_port
from albert.cli.readiness import announced
from albert.cli.start import albert
from albert.inference.batching import Batcher
from albert.serving.embeddings_service import EmbeddingsService


def embeddings(
    host: Annotated[str, typer.Option("--host", help="Adresse d'écoute.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port d'écoute ; 0 : un port libre.")
    ] = 8001,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Fils de calcul (sinon ALBERT_EMBED_THREADS)."),
    ] = None,
) -> None:
    """Sert le modèle de vecteurs (/v1/embeddings, /v1/rerank) ; Ctrl-C arrête."""
    one = albert(embed_threads=threads)
    settings = one.settings
    key = settings.embeddings_api_key.get_secret_value()
    check_exposure(host, key, "EMBEDDINGS_API_KEY")
    check_port(host, port)

    async def close() -> None:
        one.embedder.close()

    service = EmbeddingsService(
        # one text more than there are threads waits behind each: they never idle
        Batcher(one.embedder, concurrent=2 * settings.embed_threads),
        key=key,
        drain_seconds=settings.drain_seconds,
        open_=one.embedder.warm_up,
        close=close,
    )
    told = f"{one.embedder.model} répond sur "
    ready = announced(lambda address: say(f"{told}{address}/v1"))
    uvloop.run(serve(service, host, port, ready))
    say("Le service de vecteurs est arrêté.")
