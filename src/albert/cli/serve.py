"""``albert serve``: one model as a service of its own, until Ctrl-C."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer
import uvloop

from albert.asgi.run import listen, serve
from albert.cli.console import say
from albert.cli.start import albert
from albert.domain.errors import PortInUse, SettingInvalid
from albert.inference.batching import Batcher
from albert.serving.embeddings_service import EmbeddingsService

app = typer.Typer(no_args_is_help=True)


@app.callback()
def services() -> None:
    """Keep « serve » a group, however few its verbs."""


@app.command("embeddings")
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
    _check_exposure(host, key)
    _check_port(host, port)

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
    uvloop.run(serve(service, host, port, lambda address: say(f"{told}{address}/v1")))
    say("Le service de vecteurs est arrêté.")


def _check_exposure(host: str, key: str) -> None:
    if not key and not _is_loopback(host):
        raise SettingInvalid(
            f"Écouter sur {host} demande une clé : donnez-la dans EMBEDDINGS_API_KEY, "
            "ou restez sur 127.0.0.1."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise SettingInvalid(
            "EMBEDDINGS_API_KEY contient des caractères qu'une clé ne peut avoir : "
            "prenez des lettres et des chiffres."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_port(host: str, port: int) -> None:
    """See that the port is free before the model is loaded."""
    try:
        listen(host, port).close()
    except PortInUse:
        raise PortInUse(
            f"Un autre programme écoute déjà sur le port {port} : arrêtez-le, ou changez --port."
        ) from None
