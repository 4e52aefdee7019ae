"""Embedding and reranking calls answered by an embedder: for the service, and for the API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from albert.asgi.embeddings import ToEmbed, to_embed, to_rank
from albert.asgi.problems import invalid, model_not_found
from albert.inference.contract import Embedder
from albert.wire.embeddings import Ranked, embeddings, reranking

_COUNTED_AT_ONCE = 64
"""Texts counted between two moments when a caller's leaving is noticed; 0.1 s at most."""


class Answer(NamedTuple):
    payload: bytes
    """JSON."""
    tokens: int
    """That the model read, as its embedder counts them."""


async def embed(embedder: Embedder, body: bytes) -> Answer:
    """Answer an embedding call, in OpenAI's form.

    Raises:
        Problem: the call is not of the right form.
        AlbertError: what the embedder raises.
    """
    asked = to_embed(body)
    _check(asked.model, embedder)
    _check_dimensions(asked, embedder)
    counting = asyncio.create_task(count(embedder, asked.texts))
    try:
        rows = await embedder.embed(asked.texts, role=asked.role)
        tokens = await counting
    finally:
        counting.cancel()
    return Answer(embeddings(embedder.model, rows, tokens=tokens, encoding=asked.encoding), tokens)


async def rerank(embedder: Embedder, body: bytes, *, request_id: str) -> Answer:
    """Answer a reranking call, in Cohere's form, by cosine: best first, equals as they came.

    Question and documents are read apart: no cross-encoder is here, and a score is
    good for ordering, not for a threshold.

    Raises:
        Problem: the call is not of the right form.
        AlbertError: what the embedder raises.
    """
    asked = to_rank(body)
    _check(asked.model, embedder)
    documents = asked.documents
    counting = asyncio.create_task(count(embedder, (asked.query, *documents)))
    try:
        (query,) = await embedder.embed([asked.query], role="query")
        rows = await embedder.embed(documents, role="document")
        tokens = await counting
    finally:
        counting.cancel()
    # row by row, where a matrix product may round equal rows differently
    scores = (rows * query).sum(axis=1)
    order = np.argsort(-scores, kind="stable").tolist()[: asked.most]
    results = [
        Ranked(place, float(scores[place]), documents[place] if asked.documents_back else None)
        for place in order
    ]
    return Answer(reranking(request_id, embedder.model, results, tokens=tokens), tokens)


async def count(embedder: Embedder, texts: Sequence[str]) -> int:
    """Return the tokens of all texts, counted off the loop, while their vectors are made."""
    total = 0
    for first in range(0, len(texts), _COUNTED_AT_ONCE):
        some = texts[first : first + _COUNTED_AT_ONCE]
        total += await asyncio.to_thread(_sum, embedder, some)
    return total


def _sum(embedder: Embedder, texts: Sequence[str]) -> int:
    return sum(map(embedder.token_count, texts))


def _check(name: str, embedder: Embedder) -> None:
    if name not in ("", embedder.model):
        raise model_not_found(name, (embedder.model,))


def _check_dimensions(asked: ToEmbed, embedder: Embedder) -> None:
    if asked.dimensions is not None and asked.dimensions != embedder.dimension:
        message = (
            f"Ce modèle donne {embedder.dimension} dimensions et n'est pas entraîné pour "
            "en donner moins : retirez « dimensions »."
        )
        raise invalid(message, "dimensions")
