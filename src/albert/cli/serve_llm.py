"""``albert serve llm``: an engine of the table, launched, watched, and served to others."""

from __future__ import annotations

import asyncio
import socket
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
import uvloop

from albert.asgi.run import serve
from albert.bootstrap.albert import Albert
from albert.bootstrap.table import DRIVERS, with_python
from albert.cli.console import say
from albert.cli.exposure import check_exposure, check_port, is_loopback
from albert.cli.readiness import announced
from albert.cli.start import albert
from albert.domain.errors import ModelNotFound, RequestError, TableInvalid
from albert.inference.batching import Batcher
from albert.inference.contract import Embedder
from albert.inference.e5 import E5Embedder
from albert.prompt.config import built_in, read_config
from albert.routing.reading import read
from albert.routing.table import DriverName, Replica, RoutedModel
from albert.serving.engine_embedder import EngineEmbedder
from albert.serving.engines.contract import EngineState
from albert.serving.llm_service import LLMService
from albert.serving.watched import WatchedEngine


class Launcher(StrEnum):
    vllm = "vllm"
    llama_cpp = "llama.cpp"
    gpt4all = "gpt4all"


Checked = Annotated[
    bool,
    typer.Option("--check", help="Voit si le moteur est installé et le port libre, sans plus."),
]


def llm(
    name: Annotated[str, typer.Argument(help="Le modèle, son nom dans la table.")] = "",
    table: Annotated[
        Path | None,
        typer.Option("--table", help="La table de routage (sinon ALBERT_ROUTING_TABLE)."),
    ] = None,
    hf_repo_id: Annotated[
        str, typer.Option("--hf-repo-id", help="Sans table : le dépôt Hugging Face du modèle.")
    ] = "",
    file: Annotated[
        str, typer.Option("--file", help="Sans table : un fichier du dépôt, ou de la machine.")
    ] = "",
    driver: Annotated[
        Launcher | None,
        typer.Option(
            "--driver", help="Sans table : son moteur ; sinon llama.cpp pour un .gguf, ou vllm."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Adresse d'écoute (sinon la réplique, ou 127.0.0.1).")
    ] = "",
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port (sinon la réplique, ou 8000)."),
    ] = None,
    check: Checked = False,
) -> None:
    """Lance le moteur d'un modèle, le surveille et le sert ; Ctrl-C arrête tout."""
    one = albert()
    if hf_repo_id or file:
        model = _told(name, hf_repo_id, file, driver, table)
    else:
        model = _found(name, table or Path(one.settings.routing_table))
    model = with_python(one.settings, model)
    place = _place(model, told=bool(host))
    where = (host or place.host or "127.0.0.1", place.port if port is None else port)
    key = one.settings.llm_api_key.get_secret_value()
    _check(model, *where, key)
    if not check:
        uvloop.run(_serve(one, model.model_copy(update={"replicas": (Replica(),)}), *where, key))


def _check(model: RoutedModel, host: str, port: int, key: str) -> None:
    """Raises: SettingInvalid, PortInUse, ServiceError, InferenceError."""
    check_exposure(host, key, "LLM_API_KEY")
    check_port(host, port)
    DRIVERS[model.driver].check_installed(model)


def _told(
    name: str, repository: str, file: str, driver: Launcher | None, table: Path | None
) -> RoutedModel:
    """Make a table of one entry out of the options."""
    if table is not None:
        raise RequestError("--hf-repo-id et --file remplacent la table : retirez --table.")
    if driver is None:
        driver = Launcher.llama_cpp if file.lower().endswith(".gguf") else Launcher.vllm
    engine: DriverName = "vllm" if driver is Launcher.vllm else "llama.cpp"
    called = name or repository.rpartition("/")[2] or Path(file).stem
    return RoutedModel(name=called, driver=engine, hf_repo_id=repository, file=file)


def _found(name: str, table: Path) -> RoutedModel:
    if table == Path():
        raise TableInvalid(
            "Aucune table de routage : donnez-la par --table ou dans ALBERT_ROUTING_TABLE, "
            "ou dites le modèle par --hf-repo-id ou --file."
        )
    models = read(table)
    names = ", ".join(model.name for model in models)
    model = models.find(name)
    if model is None:
        wrong = f"Le modèle « {name} » n'est pas dans « {table} »" if name else "Dites quel modèle"
        raise ModelNotFound(f"{wrong} : il y a {names or 'une table vide'}.")
    if model.driver in ("embedded", "openai"):
        raise ModelNotFound(
            f"« {model.name} » a le pilote {model.driver}, qui ne lance rien : "
            + (
                "prenez « albert serve embeddings »."
                if model.driver == "embedded"
                else "il est servi ailleurs."
            )
        )
    return model


def _place(model: RoutedModel, *, told: bool) -> Replica:
    """Return the replica that this machine is; ``told``: the host is an option's.

    Raises:
        RequestError: several could be.
    """
    ours = {"", socket.gethostname(), socket.getfqdn()}
    here = [r for r in model.replicas if r.host in ours or is_loopback(r.host)]
    candidates = here or list(model.replicas)
    if not told and (len(candidates) > 1 or "://" in candidates[0].host):
        raise RequestError(
            f"La table ne dit pas quelle réplique de « {model.name} » est ici : "
            "dites où écouter, par --host et --port."
        )
    return candidates[0]


def _front(
    one: Albert,
    model: RoutedModel,
    engine: EngineState,
    folder: Path,
    key: str,
    session: aiohttp.ClientSession,
) -> LLMService:
    """Return the service of ``model``, with the prompts of its folder.

    A model of vectors is asked through an embedder: engines know neither ``doc_type``,
    nor what to do of a text that is too long.

    Raises:
        PromptConfigInvalid
    """
    config = read_config(folder) or built_in()
    config.modes(model.name)
    embedder: Embedder | None = None
    if model.type == "embeddings":
        embedder = Batcher(EngineEmbedder(engine, model, session), batch=32, concurrent=4)
    elif model.embeddings_hf_repo_id.rpartition("/")[2].lower() == E5Embedder.model:
        embedder = one.embedder
    return LLMService(
        model=model,
        engine=engine,
        key=key,
        prompt_config=config.encoded(),
        defaults=config.sampling(model.name).said(),
        embedder=embedder,
        drain_seconds=one.settings.drain_seconds,
    )


class _Told:
    """What is said of a model: served, once it listens and its engine has answered."""

    def __init__(self, name: str) -> None:
        self._name = f"« {name} »"
        self._address = ""
        self._ready = 0

    def listening(self, address: str) -> None:
        self._address = f"{address}/v1"
        if self._ready:
            say(f"{self._name} est servi sur {self._address}")
        else:
            say(f"{self._name} se charge ; il sera servi sur {self._address}")

    def changed(self, engine: WatchedEngine) -> None:
        if engine.detail:
            say(engine.detail)
            return
        self._ready += 1
        if self._ready > 1:
            say(f"{self._name} répond de nouveau.")
        elif self._address:
            say(f"{self._name} est servi sur {self._address}")


async def _serve(one: Albert, model: RoutedModel, host: str, port: int, key: str) -> None:
    weights = await asyncio.to_thread(one.weights, model)  # told at once if they are not there
    lost, told = asyncio.Event(), _Told(model.name)

    def changed(engine: WatchedEngine) -> None:
        told.changed(engine)
        if engine.state == "failed":
            lost.set()

    async with one.supervisor() as supervisor, aiohttp.ClientSession() as session:
        supervisor.watch(changed)
        await supervisor.reconcile([model])
        engine = supervisor.engines[model.name]
        folder = await asyncio.to_thread(lambda: weights if weights.is_dir() else weights.parent)
        service = await asyncio.to_thread(_front, one, model, engine, folder, key, session)
        await serve(service, host, port, announced(told.listening), stop=lost)
    if engine.error is not None:
        raise engine.error
    say("Le service du modèle est arrêté.")
