"""GET models, and models/{id}."""

from __future__ import annotations

import orjson

from albert.api.services import Services
from albert.asgi.exchange import Reply, Request
from albert.asgi.problems import model_not_found
from albert.wire.openai import ModelCard, ModelList, model_card


class Models:
    def __init__(self, services: Services) -> None:
        self._services = services

    def cards(self) -> dict[str, ModelCard]:
        """Return the models on offer, extraction first."""
        talking = {**self._services.answerers, **self._services.upstreams}
        embedding = self._services.embedder.model
        cards = {name: model_card(name) for name in talking}
        return cards | {embedding: model_card(embedding, "text-embeddings-inference")}

    async def every(self, _request: Request, reply: Reply) -> None:
        listed: ModelList = {"object": "list", "data": list(self.cards().values())}
        await reply.json(orjson.dumps(listed))

    async def one(self, name: str, _request: Request, reply: Reply) -> None:
        cards = self.cards()
        if name not in cards:
            raise model_not_found(name, tuple(cards))
        await reply.json(orjson.dumps(cards[name]))
