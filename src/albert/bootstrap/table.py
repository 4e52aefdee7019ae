"""The routing table of the settings, and what makes it live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from albert.domain.errors import SettingInvalid
from albert.routing.fleet import Fleet
from albert.routing.reading import read
from albert.routing.replica import Endpoint
from albert.routing.rules import EXTRACTION
from albert.routing.table import DriverName, Engine, Replica, RoutedModel, RoutingTable
from albert.serving.engines.contract import Driver
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.engines.vllm import VllmDriver
from albert.serving.gguf import examine
from albert.settings import Settings, environment

DRIVERS: Mapping[DriverName, Driver] = {"llama.cpp": LlamaCppDriver(), "vllm": VllmDriver()}
"""What launches engines."""


def fleet_of(settings: Settings, table: RoutingTable, engines: Mapping[str, Endpoint]) -> Fleet:
    """Return the table alive; ``engines`` are those that this process launched.

    Raises:
        TableInvalid: a key's variable is not set.
    """

    def key_of(variable: str) -> str:
        if variable == "ALBERT_MODEL_KEY":
            return settings.model_key.get_secret_value()
        return environment().get(variable, "")

    return Fleet(
        table,
        key_of=key_of,
        launched=engines.get,
        extras={name: driver.request_extra for name, driver in DRIVERS.items()},
    )


def table_of(settings: Settings, name: str = "") -> RoutingTable:
    """Return the table of the settings, and in it the model that they, or ``name``, name.

    Raises:
        TableInvalid: the file is wrong.
        SettingInvalid: a name that is neither of the table nor of a file, and no address.
        ModelFileInvalid: the file is no model.
    """
    path = settings.routing_table
    entries = read(Path(path)) if path else ()
    models = {model.name: with_python(settings, model) for model in entries}
    wanted = name or settings.model
    table = RoutingTable(models)
    if wanted not in ("", EXTRACTION) and table.find(wanted) is None:
        own = _own(settings, wanted)
        table = RoutingTable({own.name: own, **models})
    return table


def with_python(settings: Settings, model: RoutedModel) -> RoutedModel:
    """Say where vLLM is on this machine, unless the entry does."""
    if model.driver != "vllm" or model.engine.python or not settings.vllm_python:
        return model
    engine = model.engine.model_copy(update={"python": settings.vllm_python})
    return model.model_copy(update={"engine": engine})


def name_of(settings: Settings, name: str = "") -> str:
    """Return the name under which the table knows the model of the settings; may be empty."""
    wanted = name or settings.model
    return Path(wanted).stem if wanted.endswith(".gguf") else wanted


def _own(settings: Settings, wanted: str) -> RoutedModel:
    """Return an entry for the model that the settings alone tell of."""
    path = Path(wanted).expanduser()
    if settings.model_url and path.suffix != ".gguf":
        if not settings.model_url.startswith(("http://", "https://")):
            raise SettingInvalid(
                "ALBERT_MODEL_URL doit commencer par http:// ou https:// : corrigez-la."
            )
        return RoutedModel(
            name=wanted,
            driver="openai",
            replicas=(
                Replica(
                    host=settings.model_url,
                    key_variable="ALBERT_MODEL_KEY" if settings.model_key else "",
                ),
            ),
            engine=Engine(context=settings.model_window),
        )
    if path.suffix != ".gguf" and not path.exists():
        raise SettingInvalid(
            f"Le modèle « {wanted} » n'est ni dans la table de routage, ni un fichier .gguf : "
            "corrigez ALBERT_MODEL, ou dites dans ALBERT_MODEL_URL à quelle adresse il est servi."
        )
    examine(path)
    return RoutedModel(
        name=path.stem,
        driver="llama.cpp",
        file=str(path.absolute()),
        engine=Engine(context=settings.model_window, threads=2),
    )
