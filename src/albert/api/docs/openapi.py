"""The OpenAPI description of the raw routes, beside what FastAPI says of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from albert.api.docs import responses, schemas

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"
_BEARER = [{"HTTPBearer": list[str]()}]
_TAG = "Compatible OpenAI"


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: str
    summary: str
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    errors: tuple[int, ...] = (401,)
    streams: bool = False
    parameters: tuple[str, ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    """Names of what may follow « ? », with what each says."""


_ROUTES = (
    _Route("get", "/v1/models", "Les modèles offerts", schemas.ModelList),
    _Route(
        "get",
        "/v1/models/{model}",
        "Un modèle",
        schemas.ModelCard,
        errors=(401, 404),
        parameters=("model",),
    ),
    _Route(
        "post",
        "/v1/chat/completions",
        "Répond à une question, avec ses sources",
        schemas.ChatCompletion,
        schemas.ChatCompletionRequest,
        errors=(400, 401, 404, 413, 422, 500, 502, 503, 504),
        streams=True,
    ),
    _Route(
        "post",
        "/v1/responses",
        "La même chose, dans la forme des réponses (Responses) d'OpenAI",
        responses.Response,
        responses.ResponseRequest,
        errors=(400, 401, 404, 413, 422, 500, 502, 503, 504),
        streams=True,
    ),
    _Route(
        "post",
        "/v1/completions",
        "Complète un texte, par un modèle de langue",
        schemas.TextCompletion,
        schemas.TextCompletionRequest,
        errors=(400, 401, 404, 413, 422, 500, 502, 503, 504),
        streams=True,
    ),
    _Route(
        "post",
        "/v1/embeddings",
        "Vecteurs de textes",
        schemas.EmbeddingList,
        schemas.EmbeddingsRequest,
        errors=(400, 401, 404, 413, 422, 500, 502, 503),
    ),
    _Route(
        "post",
        "/v1/rerank",
        "Documents du plus proche au moins proche d'une question",
        schemas.Reranking,
        schemas.RerankRequest,
        errors=(400, 401, 404, 413, 422, 500, 502, 503),
    ),
    _Route(
        "get",
        "/v1/usage",
        "Ce que l'on a demandé aux modèles, et ce que cela a coûté",
        schemas.UsageReport,
        errors=(400, 401, 403, 404, 503),
        query=(
            ("from", "Premier jour (2026-01-31) ou moment ; sinon les trente derniers jours"),
            ("to", "Dernier jour, compris, ou moment ; sinon maintenant"),
            ("model", "Un seul modèle"),
            ("user", "Le compte d'un autre, ou * pour tous : administrateurs seulement"),
            ("group_by", "day, model, user, operation, status, séparés par des virgules"),
        ),
    ),
)


def describe_raw_routes(description: Json) -> Json:
    """Add the raw routes, under both their prefixes, to ``description``; return it."""
    models = {route.answer for route in _ROUTES} | {schemas.OpenAIError}
    models |= {route.body for route in _ROUTES if route.body is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=_REFERENCE
    )
    components = description.setdefault("components", {})
    components.setdefault("schemas", {}).update(definitions["$defs"])
    for route in _ROUTES:
        for prefix in ("", "/api"):
            path = description["paths"].setdefault(prefix + route.path, {})
            path[route.method] = _operation(route, prefix)
    return description


def _operation(route: _Route, prefix: str) -> Json:
    name = (prefix + route.path).strip("/").replace("/", "_").replace("{", "").replace("}", "")
    operation: Json = {
        "tags": [_TAG],
        "summary": route.summary,
        "operationId": f"{route.method}_{name}",
        "security": _BEARER,
        "responses": {
            "200": {"description": "Réussi", "content": _content(route)},
            **{str(status): _error() for status in route.errors},
        },
    }
    if route.parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in route.parameters
        ]
    if route.query:
        operation["parameters"] = [
            {"name": name, "in": "query", "description": said, "schema": {"type": "string"}}
            for name, said in route.query
        ]
    if route.body is not None:
        content = {"application/json": {"schema": _schema(route.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _content(route: _Route) -> Json:
    content: Json = {"application/json": {"schema": _schema(route.answer)}}
    if route.streams:
        content["text/event-stream"] = {}  # no schema tells of a sequence of events
    return content


def _schema(model: type[BaseModel]) -> Json:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _error() -> Json:
    return {
        "description": "Erreur, dans la forme d'OpenAI",
        "content": {"application/json": {"schema": _schema(schemas.OpenAIError)}},
    }
