"""POST completions: the text that a language model adds to a text, as OpenAI's first API had it."""

from __future__ import annotations

from albert.api.v1.metering import Metering
from albert.api.v1.offered import Offered
from albert.api.v1.request import ModelRequest
from albert.api.v1.routed import Routed
from albert.asgi import fields as read
from albert.asgi.exchange import Reply
from albert.asgi.problems import Problem, invalid, model_not_found


class Completions:
    def __init__(self, services: Offered, metering: Metering) -> None:
        self._services = services
        self._routed = Routed("completions", services, metering)

    async def __call__(self, request: ModelRequest, reply: Reply) -> None:
        fields = read.json_object(request.body)
        model = read.text(fields, "model") or self._services.default_model
        if self._services.dispatcher.fleet.find(model) is None:
            raise self._unfit(model)
        if fields.get("rag") is not None:
            raise invalid(
                "« rag » ne va qu'avec chat/completions et responses : retirez-le.", "rag"
            )
        await self._routed(request, reply)

    def _unfit(self, model: str) -> Problem:
        if model in self._services.answerers:
            what = "répond à des questions : appelez-le par chat/completions ou responses"
        elif (own := self._services.embedder) is not None and model == own.model:
            what = "donne des vecteurs : appelez-le par embeddings"
        else:
            return model_not_found(model, self._services.names or ("aucun",))
        return invalid(
            f"Le modèle {model!r} ne complète pas de texte, il {what}.",
            "model",
            code="model_not_supported",
        )
