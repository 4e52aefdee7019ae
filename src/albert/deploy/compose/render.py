"""From an environment to the files that Docker Compose reads, a folder for each machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import yaml

from albert import __version__
from albert.deploy.compose.cards import card_counts, dealt
from albert.deploy.compose.grounds import check_reachable, files_of, folders_of, own_database
from albert.deploy.compose.services import (
    DATABASES,
    TABLE_FILE,
    Definition,
    Ground,
    definition,
    escaped,
    on_one_address,
    setup,
    setup_models,
)
from albert.deploy.compose.table import KEYS, check_files, seen_from, wanted_elsewhere, with_keys
from albert.deploy.plan import Plan, Service, plan
from albert.deploy.variables import default
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import RoutedModel
from albert.settings import load

HEADER = "# Écrit par « albert deploy render {} » : changez plutôt ses variables ou sa table.\n"
COMPOSE_FILE = "compose.yml"
_LOOPBACK = "127.0.0.1"

_DOWNLOADS = (
    *("HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"),
)
"""What « albert models download » reads, and what serves models need not know."""

Files = dict[str, bytes | Mapping[str, str]]
"""By their names: a text, or for ``env/…`` variables, secrets among them."""


def rendered(
    environment: str, values: Mapping[str, str], table: Iterable[RoutedModel] = ()
) -> dict[str, Files]:
    """Return the files of each machine.

    Same input, same output. Nothing is asked of the machines.

    Raises:
        EnvironmentInvalid, SettingInvalid: naming the variable, and what it lacks.
    """
    settings = load(values)
    models = with_keys(table, values)
    whole = plan(environment, values, models)
    storage = values.get("STORAGE_PATH", "")
    _check_storage(whole, storage)
    check_files(whole.services, storage)
    check_reachable(values, models, whole)
    every, named = card_counts(values.get("GPU_COUNTS", ""))
    made: dict[str, Files] = {}
    for host in whole.hosts:
        seen = seen_from(host, whole, models)
        ground = Ground(
            images=_said(values, "IMAGE_NAME", r"[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?"),
            tag=_said(values, "IMAGE_TAG", r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
            values=values,
            own_database=own_database(values),
            files=files_of(values),
            folders=folders_of(values),
            storage=storage,
            table=seen,
            drain=settings.drain_seconds,
        )
        cards = _dealt(whole, host, named.get(host, every))
        project = _said(values, "COMPOSE_PROJECT_NAME", r"[a-z0-9][a-z0-9_-]*")
        files = _files(whole, host, ground, cards, project)
        text = orjson.dumps(seen, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        made[host] = {TABLE_FILE: text, **files}
    return made


def _files(
    whole: Plan, host: str, ground: Ground, cards: Mapping[str, tuple[int, ...]], project: str
) -> Files:
    services: dict[str, Definition] = {}
    files: Files = {}
    ours = whole.on(host)
    for one in ours:
        services[one.name] = definition(
            one, one.name, ground, cards.get(one.name, ()), _published(one, whole)
        )
        files[f"env/{one.name}.env"] = _variables(one, ground.values)
    api = next((one for one in ours if one.kind == "api"), None)
    if api is not None:
        services["setup"] = setup(ground)
        files["env/setup.env"] = api.variables
    if (downloads := setup_models(ours, ground)) is not None:
        services["setup-models"] = downloads
        files["env/setup-models.env"] = {
            name: ground.values[name] for name in _DOWNLOADS if name in ground.values
        }
    return {COMPOSE_FILE: _text(whole.environment, project, services), **files}


def _text(environment: str, project: str, services: Mapping[str, Definition]) -> bytes:
    volumes = {
        volume["source"]: None
        for one in services.values()
        for volume in one["volumes"]
        if volume["type"] == "volume"
    }
    document: dict[str, Any] = {
        "name": f"{project}-{environment}",
        "services": services,
        "networks": {"default": None},
        "volumes": volumes,
    }
    if any(DATABASES in one.get("networks", ()) for one in services.values()):
        document["networks"][DATABASES] = {"name": f"{project}_{DATABASES}", "external": True}
    # escaped is a copy: nothing is said by a YAML alias
    text: str = yaml.safe_dump(escaped(document), sort_keys=False, allow_unicode=True, width=100)
    return (HEADER.format(environment) + text).encode()


def _published(service: Service, whole: Plan) -> str:
    """Return the address to publish on: nginx calls the API from the machine itself."""
    if service.kind == "api":
        return _LOOPBACK
    return on_one_address(service.host) if wanted_elsewhere(service, whole) else ""


def _variables(service: Service, values: Mapping[str, str]) -> dict[str, str]:
    """Return what a service reads; the key that it asks for is the one its callers are given."""
    variables = dict(service.variables)
    if service.replica is not None:
        variables[KEYS[service.kind]] = values[service.replica.key_variable]
    return variables


def _dealt(whole: Plan, host: str, count: int) -> Mapping[str, tuple[int, ...]]:
    try:
        return dealt(whole.on(host), count)
    except EnvironmentInvalid as error:
        raise EnvironmentInvalid(f"{host} : {error}") from None


def _check_storage(whole: Plan, storage: str) -> None:
    if any(one.kind == "llm" for one in whole.services) and not storage.startswith("/"):
        raise EnvironmentInvalid(
            "STORAGE_PATH doit dire le dossier des modèles sur leurs machines, par un chemin "
            "entier : « /srv/albert/models »."
        )


def _said(values: Mapping[str, str], name: str, shape: str) -> str:
    said = values.get(name) or default(name) or __version__
    if not re.fullmatch(shape, said):
        raise EnvironmentInvalid(
            f"{name} : « {said} » ne convient pas à Docker : prenez des minuscules, des chiffres "
            "et des tirets."
        )
    return said
