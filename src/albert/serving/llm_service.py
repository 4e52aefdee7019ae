"""The LLM service: one model over HTTP, on raw ASGI, in front of its engine's own server."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import orjson
from starlette.types import Message, Receive, Scope, Send

from albert.asgi import fields as read
from albert.asgi.answering import Answering, Work
from albert.asgi.exchange import Reply, Request, header, path_of, read_body, request_id_of
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import Problem, stopping
from albert.domain.errors import Unauthenticated
from albert.inference.contract import Embedder
from albert.routing.table import RoutedModel
from albert.serving.embeddings import embed
from albert.serving.engine_client import EngineClient, ToEngine, away
from albert.serving.engine_fields import check
from albert.serving.engines.contract import EngineState
from albert.serving.generating import Generating
from albert.wire.openai import model_card

Handler = Callable[[Request, Reply], Awaitable[None]]

_ENGINE = "/v1/"
_PASSED = ("content-type", "accept", "traceparent", "tracestate")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class LLMService:
    """Answers ``/health``, ``/models``, ``/generate``, ``/embeddings``, ``/get_prompt_config``,
    and under ``/v1/`` whatever the engine answers there.

    ``prompt_config`` is the model's, in JSON. ``defaults`` are the choices of sampling of
    ``/generate``. ``embedder`` answers embedding calls, where another model than the engine's
    does. An empty ``key`` admits everybody: on loopback only. ``drain_seconds`` is what
    running answers have to end.
    """

    def __init__(
        self,
        *,
        model: RoutedModel,
        engine: EngineState,
        key: str,
        prompt_config: bytes,
        defaults: Mapping[str, object] = _NOTHING,
        embedder: Embedder | None = None,
        drain_seconds: float = 30.0,
    ) -> None:
        self._model, self._engine, self._embedder = model, engine, embedder
        self._key = key.encode()
        self._prompt_config = prompt_config
        self._drain_seconds = drain_seconds
        self._in_flight = InFlight()
        self._answering = Answering(self._in_flight)
        self._client = EngineClient(engine, model.timeouts)
        generate = Generating(self._client, engine, model, defaults)
        self._handlers: dict[str, tuple[str, Handler]] = {
            "/health": ("GET", self._health),
            "/models": ("GET", self._models),
            "/v1/models": ("GET", self._models),
            "/generate": ("POST", generate),
            "/embeddings": ("POST", self._embeddings),
            "/get_prompt_config": ("GET", self._config),
        }
        if embedder is not None:
            self._handlers["/v1/embeddings"] = self._handlers["/embeddings"]

    async def open(self) -> None:
        await self._client.open()

    async def close(self) -> None:
        await self._client.close()

    def drain(self) -> None:
        self._in_flight.drain(self._drain_seconds)

    def interrupt(self) -> None:
        self._in_flight.stop()

    async def idle(self) -> None:
        await self._in_flight.idle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope)
        reply = Reply(_stamped(send, request_id))

        async def prepare() -> Work:
            handler = self._admitted(scope)
            return functools.partial(handler, Request(request_id, await read_body(receive)), reply)

        await self._answering(prepare, reply, receive)

    def _admitted(self, scope: Scope) -> Handler:
        """Return what answers, if the caller may ask it."""
        path, method = path_of(scope), scope["method"]
        if path != "/health":  # probes have no key
            self._check_key(header(scope, b"authorization"))
        if self._in_flight.draining:
            raise stopping()
        if path not in self._handlers:
            return self._passing(scope, path)
        expected, handler = self._handlers[path]
        if method != expected:
            message = f"{path} s'appelle par {expected}, et non {method}."
            problem = Problem(405, message, code="method_not_allowed")
            problem.headers = ((b"allow", expected.encode()),)
            raise problem
        return handler

    def _check_key(self, authorization: str) -> None:
        if not self._key:
            return
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(key.encode(), self._key):
            raise Unauthenticated("Il faut la clé du service : « Authorization: Bearer <clé> ».")

    def _passing(self, scope: Scope, path: str) -> Handler:
        """Return what passes a request of ``/v1/`` on, to the engine's own ``/v1/`` only."""
        below = path.removeprefix(_ENGINE)
        climbs = "\\" in below or any(step in ("", ".", "..") for step in below.split("/"))
        if not path.startswith(_ENGINE) or climbs:
            known = ", ".join((*self._handlers, "/v1/…"))
            message = f"Rien ne répond à {path!r}. Adresses connues : {known}."
            raise Problem(404, message, code="unknown_url")
        query = scope["query_string"].decode("latin-1")
        return functools.partial(
            self._pass,
            scope["method"],
            quote(below, safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else ""),
            {name: said for name in _PASSED if (said := header(scope, name.encode()))},
        )

    async def _pass(
        self, method: str, path: str, headers: Mapping[str, str], request: Request, reply: Reply
    ) -> None:
        body = self._fitting(request.body) if method == "POST" else request.body
        said = {"content-type": "application/json", **headers} if body else headers
        asked = ToEngine(
            method=method, path=path, body=body, headers={**said, "x-request-id": request.id}
        )
        await self._client.relay(asked, reply)

    def _fitting(self, body: bytes) -> bytes:
        """Return the body as the engine needs it: the same, unless it is to be streamed.

        What is added then lets the engine notice, while it reads, that its reader left.

        Raises:
            Problem: 400, it asks for what the engine would pass over in silence.
        """
        extra, unable = self._engine.request_extra, self._engine.unable
        if not extra and not unable:
            return body
        try:
            fields = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body  # the engine says what it thinks of it
        if not isinstance(fields, dict):
            return body
        check(fields, unable)
        return orjson.dumps({**extra, **fields}) if extra and fields.get("stream") else body

    async def _health(self, _request: Request, reply: Reply) -> None:
        if not self._engine.ready:
            raise away(self._engine.detail)
        told = {"status": "ok", "model": self._model.upstream_name}
        await reply.json(orjson.dumps(told))

    async def _models(self, _request: Request, reply: Reply) -> None:
        model = self._model
        embeds = model.type == "embeddings"
        cards = [
            model_card(
                model.upstream_name, "text-embeddings-inference" if embeds else "text-generation"
            )
        ]
        if self._embedder is not None:
            cards.append(model_card(self._embedder.model, "text-embeddings-inference"))
        await reply.json(orjson.dumps({"object": "list", "data": cards}))

    async def _config(self, _request: Request, reply: Reply) -> None:
        await reply.json(self._prompt_config)

    async def _embeddings(self, request: Request, reply: Reply) -> None:
        if self._embedder is not None:
            body = _without_model(request.body, self._model.embeddings_hf_repo_id)
            await reply.json((await embed(self._embedder, body)).payload)
        elif self._model.type == "embeddings":
            await self._pass("POST", "embeddings", {}, request, reply)
        else:
            named = self._model.embeddings_hf_repo_id
            which = f"ne peut servir « {named} »" if named else "n'a pas de modèle de vecteurs"
            message = f"Ce service {which} : appelez celui d'« albert serve embeddings »."
            raise Problem(404, message, code="model_not_found", param="model")


def _without_model(body: bytes, name: str) -> bytes:
    """Leave the choice of model to the embedder, where it is called by its repository."""
    fields = read.json_object(body)
    if not name or fields.get("model") != name:
        return body
    return orjson.dumps({key: value for key, value in fields.items() if key != "model"})


def _stamped(send: Send, request_id: str) -> Send:
    """Name the request on its answer."""

    async def stamp(message: Message) -> None:
        if message["type"] == "http.response.start":
            stamps = ((b"x-request-id", request_id.encode()),)
            message["headers"] = [*message["headers"], *stamps]
        await send(message)

    return stamp
