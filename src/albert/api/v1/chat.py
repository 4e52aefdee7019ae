"""POST chat/completions: answered from the sheets, or passed to a language model."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from albert.api.services import Services, Upstream
from albert.api.v1.asked import asked
from albert.api.v1.passage import Passage
from albert.api.v1.telling import Telling
from albert.asgi import fields as read
from albert.asgi.exchange import Reply, Request
from albert.asgi.problems import invalid, model_not_found
from albert.assistant.contract import EXTRACTIVE, Answerer
from albert.wire.openai import Completion


class Chat:
    def __init__(self, services: Services, passage: Passage, clock: Callable[[], float]) -> None:
        self._services = services
        self._passage = passage
        self._clock = clock

    async def __call__(self, request: Request, reply: Reply) -> None:
        fields = read.json_object(request.body)
        model = read.text(fields, "model") or self._services.default_model
        speaker = self._speaker(model, with_sheets=fields.get("rag") is not None)
        if isinstance(speaker, Upstream):
            await self._passage.relay(speaker, request, fields, reply)
            return
        question = asked(fields)
        completion = Completion(
            f"chatcmpl-{uuid4().hex}", int(self._clock()), model, question.counted
        )
        telling = Telling(speaker, question, self._services.embedder, completion)
        await (telling.stream(reply) if question.stream else telling.whole(reply))

    def _speaker(self, model: str, *, with_sheets: bool) -> Answerer | Upstream:
        """Choose who speaks: without ``rag``, a language model is talked to as it is."""
        answerer = self._services.answerers.get(model)
        upstream = self._services.upstreams.get(model)
        if answerer is not None and (with_sheets or model == EXTRACTIVE or upstream is None):
            return answerer
        if upstream is None:
            raise model_not_found(
                model, tuple({**self._services.answerers, **self._services.upstreams})
            )
        if with_sheets:
            raise invalid(
                f"Le modèle {model!r} ne répond pas à partir des fiches : retirez « rag ».", "rag"
            )
        return upstream
