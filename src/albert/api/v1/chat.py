"""POST chat/completions: answered from the sheets, or passed to a language model."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from albert.api.v1.asked import asked
from albert.api.v1.metering import Metering
from albert.api.v1.offered import Offered
from albert.api.v1.passing import Passing
from albert.api.v1.relay import FALLBACK, Relay, check_access, prepare, reserved
from albert.api.v1.request import ModelRequest
from albert.api.v1.telling import Telling
from albert.asgi import fields as read
from albert.asgi.exchange import Reply
from albert.asgi.fields import Fields
from albert.asgi.problems import invalid, model_not_found
from albert.assistant.contract import EXTRACTIVE, Answerer
from albert.domain.errors import ModelDown
from albert.routing.route import Route
from albert.wire.openai import Completion

OPERATION = "chat/completions"


class Chat:
    def __init__(self, services: Offered, metering: Metering, clock: Callable[[], float]) -> None:
        self._services = services
        self._metering = metering
        self._relay = Relay(services.dispatcher)
        self._clock = clock

    async def __call__(self, request: ModelRequest, reply: Reply) -> None:
        fields = read.json_object(request.body)
        name = read.text(fields, "model") or self._services.default_model
        route = self._services.dispatcher.fleet.find(name)
        if route is not None and fields.get("rag") is None:
            await self._pass(route, Passing(request, fields, OPERATION), reply)
            return
        answerer = self._answerer(name, route)
        question = asked(fields)
        call = request.call
        call.model, call.stream = answerer.model, question.stream
        call.reserved = reserved(request.body, fields)
        if route is not None:
            check_access(route, call)
        async with self._metering.of(call, reply):
            await self._tell(answerer, request, fields, reply)

    async def _pass(self, route: Route, passing: Passing, reply: Reply) -> None:
        """Talk to a language model as it is; where it is down, do as its entry says."""
        prepare(route, passing)
        async with self._metering.of(passing.request.call, reply):
            try:
                await self._relay(route, passing, reply)
            except ModelDown:
                extractive = self._services.answerers.get(EXTRACTIVE)
                if extractive is None or not self._services.dispatcher.fleet.falls_to(
                    route, EXTRACTIVE
                ):
                    raise
                call = passing.request.call
                call.answered_by = EXTRACTIVE
                call.headers = (*call.headers, (FALLBACK, EXTRACTIVE.encode()))
                await self._tell(extractive, passing.request, passing.fields, reply)

    async def _tell(
        self, answerer: Answerer, request: ModelRequest, fields: Fields, reply: Reply
    ) -> None:
        question = asked(fields)
        completion = Completion(
            f"chatcmpl-{uuid4().hex}", int(self._clock()), answerer.model, question.counted
        )
        telling = Telling(answerer, question, self._services.embedder, completion, request.call)
        await (telling.stream(reply) if question.stream else telling.whole(reply))

    def _answerer(self, name: str, route: Route | None) -> Answerer:
        """Find who answers from the sheets."""
        answerer = self._services.answerers.get(name)
        if answerer is not None:
            return answerer
        if route is None:
            raise model_not_found(name, self._services.names)
        raise invalid(
            f"Le modèle {name!r} ne répond pas à partir des fiches : retirez « rag ».", "rag"
        )
