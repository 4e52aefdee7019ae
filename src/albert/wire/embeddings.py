"""The answers of embedding and reranking calls: OpenAI's form, and Cohere's."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict

import numpy as np
import orjson
from numpy.typing import NDArray

Encoding = Literal["float", "base64"]


def embeddings(model: str, rows: NDArray[np.float32], *, tokens: int, encoding: Encoding) -> bytes:
    """Return the answer of an embedding call; ``rows`` has shape ``(n, dimension)``.

    Base64 is of little-endian float32, as OpenAI's clients ask for by default.
    """
    vectors: Sequence[object] = (
        list(np.ascontiguousarray(rows, dtype=np.float32))
        if encoding == "float"
        else [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
    )
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    body = {
        "object": "list",
        "model": model,
        "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


class Ranked(NamedTuple):
    """A document of the call, by its place there (from 0)."""

    place: int
    score: float
    document: str | None
    """Its text, where the caller asked for it back."""


class _Result(TypedDict, total=False):
    index: int
    relevance_score: float
    document: dict[str, str]


def reranking(id_: str, model: str, results: Sequence[Ranked], *, tokens: int) -> bytes:
    """Return the answer of a reranking call, best first.

    ``meta`` is Cohere's; ``model`` and ``usage`` are for the clients of vLLM's and Jina's form.
    """
    body = {
        "id": id_,
        "model": model,
        "results": [_result(one) for one in results],
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": tokens, "output_tokens": 0},
        },
        "usage": {"total_tokens": tokens},
    }
    return orjson.dumps(body)


def _result(one: Ranked) -> _Result:
    result: _Result = {"index": one.place, "relevance_score": one.score}
    if one.document is not None:
        result["document"] = {"text": one.document}
    return result
