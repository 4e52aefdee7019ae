"""Which services an environment has, on which machine and port, and what each may read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from albert.deploy.variables import default, read_by
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import Replica, RoutedModel, RoutingTable

Kind = Literal["api", "llm", "embeddings"]

LOCAL = "localhost"
"""The machine that deploys, under whichever of its names it is said."""


_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
"""For a file's name, a unit's, a container's."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process to keep running. ``name`` is unique on its machine and fit for a file's name."""

    kind: Kind
    name: str
    host: str
    port: int
    variables: Mapping[str, str] = field(repr=False)  # secrets are among them
    model: RoutedModel | None = None
    replica: Replica | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The services of an environment, in the order in which they start."""

    environment: str
    services: tuple[Service, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The machines, each once, in the order of their first service."""
        return tuple(dict.fromkeys(service.host for service in self.services))

    def on(self, host: str) -> tuple[Service, ...]:
        return tuple(service for service in self.services if service.host == host)


def plan(environment: str, values: Mapping[str, str], table: Iterable[RoutedModel] = ()) -> Plan:
    """Return the services that ``values`` and the table ask for.

    A model that we serve (``vllm``, ``llama.cpp``, or ``embedded`` of type embeddings with a
    host) is one service for each of its replicas; the API is one for each of ``API_PORTS`` on each
    of ``API_HOSTS``: two sets of workers, so that one serves while the other changes.

    Raises:
        EnvironmentInvalid: a host or a port is none, or two services want the same place.
    """
    models = RoutingTable({model.name: model for model in table})
    services = [*_of_models(values, models), *_of_api(values, keys_of(models))]
    taken: dict[tuple[str, int], str] = {}
    named: set[tuple[str, str]] = set()
    for one in services:
        if other := taken.get((one.host, one.port)):
            raise EnvironmentInvalid(
                f"« {other} » et « {one.name} » veulent tous deux le port {one.port} de "
                f"{one.host} : changez l'un d'eux dans la table de routage ou API_PORTS."
            )
        if (one.host, one.name) in named:
            raise EnvironmentInvalid(
                f"Deux services de {one.host} s'appelleraient « {one.name} » : donnez à l'un des "
                "deux modèles un autre nom dans la table de routage."
            )
        named.add((one.host, one.name))
        taken[one.host, one.port] = one.name
    return Plan(environment, tuple(services))


def keys_of(models: Iterable[RoutedModel]) -> tuple[str, ...]:
    """Return the variables that a table names for the keys of its replicas."""
    return tuple(r.key_variable for m in models for r in m.replicas if r.key_variable)


def machine(host: str) -> str:
    """Return the one name of a machine: ``LOCAL`` for any name of this one."""
    if host in ("", LOCAL):
        return LOCAL
    try:
        return LOCAL if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return host


def _named(host: str, where: str) -> str:
    """Return the machine that is said there; folders, commands and addresses bear its name.

    Raises:
        EnvironmentInvalid
    """
    named = machine(host)
    try:
        ipaddress.ip_address(named)
    except ValueError:
        if not _HOST.fullmatch(named):
            raise EnvironmentInvalid(
                f"{where} : « {host} » n'est ni un nom de machine ni une adresse IP ; écrivez "
                "« api1.exemple.fr » ou « 10.0.0.2 », plusieurs séparés par des virgules."
            ) from None
    return named


def _of_models(values: Mapping[str, str], models: RoutingTable) -> Iterator[Service]:
    for model in models:
        kind = kind_of(model)
        if kind is None:
            continue
        places = [r for r in model.replicas if "://" not in r.host]
        for place, replica in enumerate(places):
            beside = [r for r in places[:place] if machine(r.host) == machine(replica.host)]
            suffix = f"-{replica.port}" if beside else ""
            yield Service(
                kind=kind,
                name=f"{kind}-{_UNFIT.sub('-', model.name)}{suffix}",
                host=_named(replica.host, f"La table de routage, « {model.name} »"),
                port=replica.port,
                variables=read_by(kind, values),
                model=model,
                replica=replica,
            )


def kind_of(model: RoutedModel) -> Kind | None:
    """Return what serves ``model`` in a deployment; none: it is served elsewhere, or inside."""
    if model.driver in ("vllm", "llama.cpp"):
        return "llm"
    if model.driver == "embedded" and any(replica.host for replica in model.replicas):
        return "embeddings"
    return None


def _of_api(values: Mapping[str, str], keys: tuple[str, ...]) -> Iterator[Service]:
    for said in _words(values, "API_HOSTS"):
        host = _named(said, "API_HOSTS")
        for port in _words(values, "API_PORTS"):
            if not port.isdecimal() or not 0 < int(port) < 65536:
                raise EnvironmentInvalid(
                    f"API_PORTS : « {port} » n'est pas un port (un nombre de 1 à 65535)."
                )
            yield Service(
                kind="api",
                name=f"api-{port}",
                host=host,
                port=int(port),
                variables=read_by("api", values, more=keys),
            )


def _words(values: Mapping[str, str], name: str) -> list[str]:
    words = [word.strip() for word in (values.get(name) or default(name)).split(",")]
    return [word for word in words if word]
