"""Operations that a model of the table does, or else this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson

from albert.api.v1.metering import Metering
from albert.api.v1.offered import Offered
from albert.api.v1.passing import Passing
from albert.api.v1.relay import Relay, prepare
from albert.api.v1.request import ModelRequest
from albert.asgi import fields as read
from albert.asgi.exchange import Reply
from albert.asgi.problems import model_not_found
from albert.inference.contract import Embedder
from albert.routing.table import RoutedModel

Local = Callable[[ModelRequest, Reply], Awaitable[None]]


class Routed:
    """One operation; ``local`` answers for the models that are not of the table."""

    def __init__(
        self,
        operation: str,
        services: Offered,
        metering: Metering,
        *,
        local: Local | None = None,
    ) -> None:
        self._operation = operation
        self._services = services
        self._metering = metering
        self._relay = Relay(services.dispatcher)
        self._local = local

    async def __call__(self, request: ModelRequest, reply: Reply) -> None:
        fields = read.json_object(request.body)
        name = read.text(fields, "model") or self._unsaid()
        route = self._services.dispatcher.fleet.find(name)
        if route is not None:
            passing = Passing(request, fields, self._operation)
            prepare(route, passing)
            async with self._metering.of(request.call, reply):
                if (embedder := self._ours(route.model)) is not None and self._local is not None:
                    body = orjson.dumps({**fields, "model": embedder.model})
                    await self._local(replace(request, body=body), reply)
                else:
                    await self._relay(route, passing, reply)
        elif self._local is not None and (own := self._services.embedder) is not None:
            request.call.model = own.model
            async with self._metering.of(request.call, reply):
                await self._local(request, reply)
        else:
            raise model_not_found(name, self._services.names)

    def _ours(self, model: RoutedModel) -> Embedder | None:
        """Return this process's embedder, where it is what a model of the table stands for."""
        elsewhere = any(replica.host for replica in model.replicas)
        return None if model.driver != "embedded" or elsewhere else self._services.embedder

    def _unsaid(self) -> str:
        """Return the model of requests that name none: it writes, and nothing else."""
        return self._services.default_model if self._operation == "completions" else ""
