"""POST embeddings."""

from __future__ import annotations

import asyncio
from typing import Literal

from albert.asgi import fields as read
from albert.asgi.exchange import Reply, Request
from albert.asgi.fields import Fields
from albert.asgi.problems import Problem, invalid, model_not_found
from albert.inference.contract import Embedder
from albert.wire.openai import embeddings

_MOST_TEXTS = 2048  # OpenAI's own bound
_ROLES: dict[str | None, Literal["query", "document"]] = {
    None: "document",
    "passage": "document",
    "query": "query",
}


class Embeddings:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def __call__(self, request: Request, reply: Reply) -> None:
        fields = read.json_object(request.body)
        self._check_model(fields)
        inputs = _inputs(fields)
        kind, encoding = read.text(fields, "doc_type"), _encoding(fields)
        if kind not in _ROLES:
            raise invalid("« doc_type » doit valoir query ou passage.", "doc_type")
        rows = await self._embedder.embed(inputs, role=_ROLES[kind])
        tokens = await asyncio.to_thread(lambda: sum(map(self._embedder.token_count, inputs)))
        await reply.json(embeddings(self._embedder.model, rows, tokens=tokens, encoding=encoding))

    def _check_model(self, fields: Fields) -> None:
        name = read.text(fields, "model") or self._embedder.model
        if name != self._embedder.model:
            raise model_not_found(name, (self._embedder.model,))
        size = read.integer(fields, "dimensions", least=1)
        if size not in (None, self._embedder.dimension):
            message = (
                f"Ce modèle donne {self._embedder.dimension} dimensions, et pas d'autre nombre."
            )
            raise invalid(message, "dimensions")


def _encoding(fields: Fields) -> Literal["float", "base64"]:
    match read.text(fields, "encoding_format"):
        case None | "float":
            return "float"
        case "base64":
            return "base64"
    raise invalid("« encoding_format » doit valoir float ou base64.", "encoding_format")


def _inputs(fields: Fields) -> tuple[str, ...]:
    if _are_token_ids(fields.get("input")):
        message = (
            "« input » contient des numéros de jetons d'un autre modèle : envoyez les textes "
            "(avec LangChain : OpenAIEmbeddings(check_embedding_ctx_length=False))."
        )
        raise Problem(422, message, code="invalid_type", param="input")
    inputs = read.texts(fields, "input")
    if not 1 <= len(inputs) <= _MOST_TEXTS:
        raise invalid(f"« input » doit contenir de 1 à {_MOST_TEXTS} textes.", "input")
    for text in inputs:
        if not text.strip() or "\0" in text:  # the model would give a vector, of nothing
            raise invalid("« input » contient un texte vide ou un caractère nul.", "input")
    return inputs


def _are_token_ids(raw: object) -> bool:
    """Whether these are a text's tokens, or several texts', as OpenAI's own models read them."""
    if not isinstance(raw, list) or not raw:
        return False
    first = raw[0][0] if isinstance(raw[0], list) and raw[0] else raw[0]
    return isinstance(first, int) and not isinstance(first, bool)
