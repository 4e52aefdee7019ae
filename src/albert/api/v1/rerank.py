"""POST rerank."""

from __future__ import annotations

from albert.asgi.exchange import Reply, Request
from albert.inference.contract import Embedder
from albert.serving.embeddings import rerank


class Rerank:
    """Orders documents by their nearness to a question, as the embedder sees it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def __call__(self, request: Request, reply: Reply) -> None:
        answer = await rerank(self._embedder, request.body, request_id=request.id)
        await reply.json(answer.payload)
