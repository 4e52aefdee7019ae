"""The shapes of OpenAI's API, as far as we write them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypedDict

import numpy as np
import orjson
from numpy.typing import NDArray

from albert.wire.citations import CitationJson
from albert.wire.sse import frame

FinishReason = Literal["stop", "length", "error"]


class ErrorDetail(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(TypedDict):
    error: ErrorDetail


class Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


CardType = Literal["text-generation", "text-embeddings-inference", "text-classification"]


class ModelCard(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: CardType
    aliases: list[str]


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[ModelCard]


class RagContext(TypedDict):
    strategy: Literal["last"]
    references: list[str]


class FindingJson(TypedDict):
    """``found`` is what a model made up: data, never to be shown as a link."""

    kind: Literal["url", "mail", "number"]
    found: str
    replaced_by: str


class Provenance(TypedDict):
    """Albert's own fields: where the answer comes from; a stream has them on its finish chunk."""

    rag_context: list[RagContext]
    sources: list[CitationJson]
    mode: Literal["extractive", "model"]
    answered: bool
    findings: list[FindingJson]


def error_body(
    message: str, *, type_: str, code: str | None, param: str | None = None
) -> ErrorBody:
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def usage(prompt: int, completion: int) -> Usage:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def model_card(
    name: str, type_: CardType = "text-generation", aliases: Sequence[str] = ()
) -> ModelCard:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "albert",
        "type": type_,
        "aliases": list(aliases),
    }


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of a model: whole, or chunk by chunk as bytes of a stream."""

    id: str
    created: int
    """Seconds since 1970."""
    model: str
    counted: bool = False
    """Whether the stream ends with a usage chunk; the others then say ``usage: null``."""

    def whole(self, text: str, spent: Usage, provenance: Provenance) -> bytes:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
        return orjson.dumps(
            self._head("chat.completion") | {"choices": [choice], "usage": spent} | provenance
        )

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def finish(self, extra: Provenance | Mapping[str, object]) -> bytes:
        return self._chunk({}, "stop", extra)

    def failure(
        self, error: ErrorBody, extra: Mapping[str, object] = MappingProxyType({})
    ) -> bytes:
        """Return the chunk that tells of an error in mid-stream.

        It has ``choices[0].delta`` as every chunk does, for clients that look no
        further, and ``error``, on which OpenAI's own client raises.
        """
        return self._chunk({}, "error", {**extra, **error})

    def usage(self, spent: Usage) -> bytes:
        return frame(
            orjson.dumps(self._head("chat.completion.chunk") | {"choices": [], "usage": spent})
        )

    def _chunk(
        self,
        delta: dict[str, str],
        finish: FinishReason | None = None,
        extra: Provenance | Mapping[str, object] | None = None,
    ) -> bytes:
        chunk = self._head("chat.completion.chunk")
        chunk["choices"] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        if self.counted:
            chunk["usage"] = None
        return frame(orjson.dumps({**chunk, **(extra or {})}))

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def embeddings(
    model: str, rows: NDArray[np.float32], *, tokens: int, encoding: Literal["float", "base64"]
) -> bytes:
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
