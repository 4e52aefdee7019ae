"""POST embeddings."""

from __future__ import annotations

from albert.asgi.exchange import Reply, Request
from albert.inference.contract import Embedder
from albert.serving.embeddings import embed


class Embeddings:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def __call__(self, request: Request, reply: Reply) -> None:
        answer = await embed(self._embedder, request.body)
        await reply.json(answer.payload)
