"""GET models, and models/{id}."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from albert.api.auth import Principal
from albert.api.v1.offered import Offered
from albert.api.v1.request import ModelRequest
from albert.asgi.exchange import Reply
from albert.asgi.problems import model_not_found
from albert.routing.table import ModelType
from albert.wire.openai import CardType, ModelCard, ModelList, model_card

TYPES: Mapping[ModelType, CardType] = {
    "text-generation": "text-generation",
    "embeddings": "text-embeddings-inference",
    "rerank": "text-classification",
}
"""As OpenGateLLM and the first generation's clients name them."""


class Models:
    def __init__(self, services: Offered) -> None:
        self._services = services

    def cards(self, caller: Principal) -> dict[str, ModelCard]:
        """Return the models on offer to an account: those that answer, then the others."""
        cards = {name: model_card(name) for name in self._services.answerers}
        for route in self._services.dispatcher.fleet:
            name = route.model.name
            if caller.is_admin or "member" in route.model.access:
                cards[name] = model_card(name, TYPES[route.model.type], route.model.aliases)
            else:
                cards.pop(name, None)
        if (own := self._services.embedder) is not None:
            cards[own.model] = model_card(own.model, "text-embeddings-inference")
        return cards

    async def every(self, request: ModelRequest, reply: Reply) -> None:
        listed: ModelList = {
            "object": "list",
            "data": list(self.cards(request.call.principal).values()),
        }
        await reply.json(orjson.dumps(listed))

    async def one(self, name: str, request: ModelRequest, reply: Reply) -> None:
        cards = self.cards(request.call.principal)
        if (route := self._services.dispatcher.fleet.find(name)) is not None:
            name = route.model.name
        if name not in cards:
            raise model_not_found(name, tuple(cards))
        await reply.json(orjson.dumps(cards[name]))
