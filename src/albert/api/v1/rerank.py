"""POST rerank."""

from __future__ import annotations

from albert.api.v1.request import ModelRequest
from albert.asgi.exchange import Reply
from albert.inference.contract import Embedder
from albert.serving.embeddings import rerank


class Rerank:
    """Orders documents by their nearness to a question, as the embedder sees it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def __call__(self, request: ModelRequest, reply: Reply) -> None:
        answer = await rerank(self._embedder, request.body, request_id=request.id)
        request.call.prompt_tokens = answer.tokens
        await reply.json(answer.payload, headers=request.call.headers)
