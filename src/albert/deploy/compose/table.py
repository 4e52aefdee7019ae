"""The routing table as a host's containers must see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from albert.deploy.plan import LOCAL, Kind, Plan, Service, kind_of, machine
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import Replica, RoutedModel

KEYS: Mapping[Kind, str] = {"llm": "LLM_API_KEY", "embeddings": "EMBEDDINGS_API_KEY"}
"""What a service asks of whoever calls it; in a container it listens to its network."""


def with_keys(table: Iterable[RoutedModel], values: Mapping[str, str]) -> list[RoutedModel]:
    """Return the table in which each replica that we serve names the variable of its key.

    Raises:
        EnvironmentInvalid: such a variable is not among ``values``.
    """
    made = []
    for model in table:
        kind = kind_of(model)
        replicas = tuple(_with_key(replica, kind) for replica in model.replicas)
        for key in (replica.key_variable for replica in replicas):
            if key and not values.get(key):
                raise EnvironmentInvalid(
                    f"{key} manque : c'est la clé du service de « {model.name} » ; donnez-la, "
                    "par exemple celle de « openssl rand -hex 32 »."
                )
        made.append(model.model_copy(update={"replicas": replicas}))
    return made


def seen_from(host: str, plan: Plan, table: Sequence[RoutedModel]) -> dict[str, Any]:
    """Return the table, in which services of ``host`` are reached by their names.

    Raises:
        EnvironmentInvalid: a replica has no name that ``host`` could call it by.
    """
    ours = plan.on(host)
    beside = {id(one.replica): one.name for one in ours if one.replica is not None}
    if any(one.kind == "api" for one in ours):
        _check_called(host, table, beside)
    seen: dict[str, Any] = {}
    for model in table:
        replicas = tuple(_seen(replica, beside) for replica in model.replicas)
        engine = model.engine
        if kind_of(model):
            engine = engine.model_copy(update={"python": ""})  # the image has its own
        update = {"replicas": replicas, "engine": engine}
        seen[model.name] = model.model_copy(update=update).model_dump(
            mode="json", exclude_defaults=True
        )
    return seen


def wanted_elsewhere(service: Service, plan: Plan) -> bool:
    """Whether the API of another machine calls ``service``."""
    return any(one.kind == "api" and one.host != service.host for one in plan.services)


def check_files(services: Iterable[Service], storage: str) -> None:
    """See that weights given by their path lie in the folder that containers are given.

    Raises:
        EnvironmentInvalid
    """
    for model in _local_files(services):
        path = PurePosixPath(model.file)
        if not storage or not path.is_relative_to(storage) or ".." in path.parts:
            raise EnvironmentInvalid(
                f"« {model.name} » : le fichier « {model.file} » n'est pas dans STORAGE_PATH, le "
                "seul dossier de modèles qu'un conteneur voit : mettez-l'y."
            )


def _local_files(services: Iterable[Service]) -> Iterator[RoutedModel]:
    for service in services:
        model = service.model
        if service.kind == "llm" and model is not None and not model.hf_repo_id:
            yield model


def _with_key(replica: Replica, kind: Kind | None) -> Replica:
    if kind is None or replica.key_variable or "://" in replica.host:
        return replica
    return replica.model_copy(update={"key_variable": KEYS[kind]})


def _seen(replica: Replica, beside: Mapping[int, str]) -> Replica:
    name = beside.get(id(replica))
    return replica.model_copy(update={"host": name}) if name else replica


def _check_called(host: str, table: Iterable[RoutedModel], beside: Mapping[int, str]) -> None:
    for model in table:
        for replica in model.replicas if kind_of(model) else ():
            if id(replica) not in beside and machine(replica.host) == LOCAL:
                raise EnvironmentInvalid(
                    f"« {model.name} » est servi sur {replica.host or LOCAL}, que {host} ne peut "
                    "joindre sous ce nom : donnez dans la table de routage le nom ou l'adresse de "
                    "sa machine."
                )
