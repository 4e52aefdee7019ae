"""POST completions: the text that a language model adds to a text, as OpenAI's first API had it."""

from __future__ import annotations

from albert.api.services import Services
from albert.api.v1.passage import Passage
from albert.asgi import fields as read
from albert.asgi.exchange import Reply, Request
from albert.asgi.problems import Problem, invalid, model_not_found


class Completions:
    def __init__(self, services: Services, passage: Passage) -> None:
        self._services = services
        self._passage = passage

    async def __call__(self, request: Request, reply: Reply) -> None:
        fields = read.json_object(request.body)
        model = read.text(fields, "model") or self._services.default_model
        upstream = self._services.upstreams.get(model)
        if upstream is None:
            raise self._unfit(model)
        if fields.get("rag") is not None:
            raise invalid(
                "« rag » ne va qu'avec chat/completions et responses : retirez-le.", "rag"
            )
        await self._passage.relay(upstream, request, fields, reply, operation="completions")

    def _unfit(self, model: str) -> Problem:
        if model in self._services.answerers:
            what = "répond à des questions : appelez-le par chat/completions ou responses"
        elif model == self._services.embedder.model:
            what = "donne des vecteurs : appelez-le par embeddings"
        else:
            return model_not_found(model, tuple(self._services.upstreams) or ("aucun",))
        return invalid(
            f"Le modèle {model!r} ne complète pas de texte, il {what}.",
            "model",
            code="model_not_supported",
        )
