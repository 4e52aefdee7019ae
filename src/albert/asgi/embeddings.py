"""What embedding and reranking calls ask, read and checked: one way, whoever serves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from albert.asgi import fields as read
from albert.asgi.fields import Fields, wrong_type
from albert.asgi.problems import Problem, invalid
from albert.wire.embeddings import Encoding

MOST_TEXTS = 2048
"""Texts of one call: OpenAI's own bound."""
LONGEST = 65_536
"""Characters of one text, some twenty pages: the engine cannot be stopped within a text."""

_ROLES: dict[str | None, Literal["query", "document"]] = {
    None: "document",
    "passage": "document",
    "query": "query",
}


@dataclass(frozen=True, slots=True)
class ToEmbed:
    """An embedding call."""

    model: str
    """Empty where the caller leaves the choice."""
    texts: tuple[str, ...]
    role: Literal["query", "document"]
    encoding: Encoding
    dimensions: int | None


@dataclass(frozen=True, slots=True)
class ToRank:
    """A reranking call."""

    model: str
    query: str
    documents: tuple[str, ...]
    most: int
    """Results wanted, at most."""
    documents_back: bool


def to_embed(body: bytes) -> ToEmbed:
    """Read the body of an embedding call.

    Raises:
        Problem: 400 or 422; the message names the field.
    """
    fields = read.json_object(body)
    texts = _inputs(fields)
    kind = read.text(fields, "doc_type")
    if kind not in _ROLES:
        raise invalid("« doc_type » doit valoir query ou passage.", "doc_type")
    return ToEmbed(
        read.text(fields, "model") or "",
        texts,
        _ROLES[kind],
        _encoding(fields),
        read.integer(fields, "dimensions", least=1),
    )


def to_rank(body: bytes) -> ToRank:
    """Read the body of a reranking call, in Cohere's form.

    Raises:
        Problem: 400 or 422; the message names the field.
    """
    fields = read.json_object(body)
    query = read.text(fields, "query")
    if query is None:
        raise invalid("« query » manque : donnez la question.", "query")
    _check_text(query, "query", "« query »")
    documents = _documents(fields)
    return ToRank(
        read.text(fields, "model") or "",
        query,
        documents,
        read.integer(fields, "top_n", least=1) or len(documents),
        read.flag(fields, "return_documents"),
    )


def _encoding(fields: Fields) -> Encoding:
    match read.text(fields, "encoding_format"):
        case None | "float":
            return "float"
        case "base64":
            return "base64"
    raise invalid("« encoding_format » doit valoir float ou base64.", "encoding_format")


def _inputs(fields: Fields) -> tuple[str, ...]:
    value = fields.get("input")
    if isinstance(value, list) and value and isinstance(value[0], int | list):
        message = (
            "« input » contient des numéros de jetons d'un autre modèle : envoyez les textes "
            "(avec LangChain : OpenAIEmbeddings(check_embedding_ctx_length=False))."
        )
        raise Problem(422, message, code="invalid_type", param="input")
    return _checked(read.texts(fields, "input"), "input")


def _documents(fields: Fields) -> tuple[str, ...]:
    value = fields.get("documents")
    if value is not None and not isinstance(value, list):
        raise wrong_type("documents", "une liste")
    return _checked(tuple(_text_of(item) for item in value or ()), "documents")


def _text_of(document: object) -> str:
    match document:
        case str(text) | {"text": str(text)}:
            return text
    raise wrong_type("documents", "une liste de textes, ou d'objets qui ont un « text »")


def _checked(texts: tuple[str, ...], name: str) -> tuple[str, ...]:
    if not 1 <= len(texts) <= MOST_TEXTS:
        raise invalid(f"« {name} » doit contenir de 1 à {MOST_TEXTS} textes.", name)
    for place, text in enumerate(texts, 1):
        _check_text(text, name, f"« {name} », texte n° {place},")
    return texts


def _check_text(text: str, name: str, called: str) -> None:
    """Refuse what the model would give a vector of nothing, or take minutes to read."""
    if not text.strip() or "\0" in text:
        raise invalid(f"{called} est vide ou contient un caractère nul.", name)
    if len(text) > LONGEST:
        message = f"{called} dépasse {LONGEST} caractères : découpez-le en passages."
        raise invalid(message, name, "text_too_long")
