"""The routing table, alive: the way to each model, kept over reloads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from albert.domain.errors import ModelNotFound, TableInvalid
from albert.routing.replica import Endpoint, FixedEndpoint, LiveReplica
from albert.routing.route import Route
from albert.routing.table import Replica, RoutedModel, RoutingTable

Extras = Mapping[str, Mapping[str, object]]
"""By driver, what each streamed request must say besides."""


class Fleet:
    """Finds the route of a name or alias; one for each worker."""

    def __init__(
        self,
        table: RoutingTable,
        *,
        key_of: Callable[[str], str] = lambda _variable: "",
        launched: Callable[[str], Endpoint | None] = lambda _model: None,
        extras: Extras = MappingProxyType({}),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``key_of`` reads a variable of the environment; ``launched`` finds the engine that we
        launched for a model, which its replica without a host stands for: without any, that
        replica is the service of this machine, which ``albert serve llm`` starts.

        Raises:
            TableInvalid: as for ``reload``.
        """
        self._key_of = key_of
        self._launched = launched
        self._extras = extras
        self._clock = clock
        self._table = RoutingTable({})
        self._routes: dict[str, Route] = {}
        self._leaving: list[LiveReplica] = []
        self.reload(table)

    def route(self, name: str) -> Route:
        """Return the way to the model of that name or alias.

        Raises:
            ModelNotFound
        """
        if (route := self.find(name)) is None:
            known = ", ".join(self._routes) or "aucun"
            raise ModelNotFound(f"Le modèle {name!r} n'existe pas ici. Modèles connus : {known}.")
        return route

    def find(self, name: str) -> Route | None:
        """Return the way to a model, or nothing where there is none of that name or alias."""
        if (route := self._routes.get(name)) is not None:
            return route
        model = self._table.find(name)
        return self._routes[model.name] if model else None

    def line(self, route: Route) -> Iterator[Route]:
        """Yield the way to a model, then to those that answer in its place, in order."""
        yield route
        while substitute := self.find(route.model.fallback):
            yield substitute
            route = substitute

    def falls_to(self, route: Route, name: str) -> bool:
        """Whether ``name``, which is no model of the table, answers in the place of them all."""
        *_, last = self.line(route)
        return last.model.fallback == name

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def replicas(self) -> Iterator[tuple[str, LiveReplica]]:
        """Yield each replica with its model's name; those that a reload dropped while busy too."""
        for route in self._routes.values():
            for replica in route.replicas:
                yield route.model.name, replica
        self._leaving = [replica for replica in self._leaving if replica.in_flight]
        for replica in self._leaving:
            yield "", replica

    def check(self, table: RoutingTable) -> None:
        """See that another table can be followed.

        Raises:
            TableInvalid: a variable that should hold a key is not set.
        """
        for model in table:
            self._endpoints(model)

    def reload(self, table: RoutingTable) -> None:
        """Follow another table, at once and whole; what runs goes on where it is.

        A replica that is in both tables keeps its state; one that has gone gets
        nothing more, and ends what it began.

        Raises:
            TableInvalid: a variable that should hold a key is not set; nothing has changed then.
        """
        endpoints = {model.name: self._endpoints(model) for model in table}
        for name in self._routes.keys() - endpoints.keys():  # a name may have become an alias
            self._leave(self._routes.pop(name).follow(None, ()))
        for model in table:
            route = self._routes.setdefault(model.name, Route(model))
            known = {one.endpoint: one for one in route.replicas}
            replicas = []
            for entry, endpoint in zip(model.replicas, endpoints[model.name], strict=True):
                replica = known.get(endpoint) or LiveReplica(endpoint, clock=self._clock)
                replica.weight, replica.limit = entry.weight, model.limits.concurrent
                replicas.append(replica)
            self._leave(route.follow(model, replicas, self._extras.get(model.driver)))
        self._table = table

    def _leave(self, replicas: Sequence[LiveReplica]) -> None:
        for replica in replicas:
            replica.draining = True
        self._leaving.extend(replicas)

    def _endpoints(self, model: RoutedModel) -> list[Endpoint]:
        return [self._endpoint(model, entry) for entry in model.replicas]

    def _endpoint(self, model: RoutedModel, entry: Replica) -> Endpoint:
        key = self._key_of(entry.key_variable) if entry.key_variable else ""
        if entry.key_variable and not key:
            raise TableInvalid(
                f"La clé de « {model.name} » manque : la variable {entry.key_variable} est vide."
            )
        if not entry.host and (engine := self._launched(model.name)):
            return engine
        return FixedEndpoint(entry.address or f"http://127.0.0.1:{entry.port}/v1", key)
