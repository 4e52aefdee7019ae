"""The OpenAI-compatible routes, under /v1 and /api/v1."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from albert.api.auth import Principal, require_member
from albert.api.call import Call
from albert.api.traces import trace_context
from albert.api.v1.chat import Chat
from albert.api.v1.completions import Completions
from albert.api.v1.embeddings import Embeddings
from albert.api.v1.metering import Metering
from albert.api.v1.models import Models
from albert.api.v1.offered import Offered
from albert.api.v1.request import ModelRequest
from albert.api.v1.rerank import Rerank
from albert.api.v1.responses.route import Responses
from albert.api.v1.routed import Routed
from albert.asgi.answering import Answering, Work
from albert.asgi.exchange import Reply, path_of, read_body
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import Problem, stopping

PREFIXES = ("/v1/", "/api/v1/")

_KEPT_RESPONSES = {
    "GET": r"responses/[^/]+(/input_items)?",
    "DELETE": r"responses/[^/]+",
    "POST": r"responses/[^/]+/cancel",
}
"""Where OpenAI has the responses that it keeps, by method."""
_NEVER = "(?!)"

Handler = Callable[[ModelRequest, Reply], Awaitable[None]]


def is_ours(path: str) -> bool:
    return path.startswith(PREFIXES)


class OpenAIRoutes:
    def __init__(
        self,
        services: Offered,
        in_flight: InFlight,
        clock: Callable[[], float] = time.time,
        *,
        usage: Callable[[Principal, bytes, Reply], Awaitable[None]],
    ) -> None:
        """``usage`` tells an account what it used, given the query of the address."""
        self._gate = services.gate
        self._in_flight = in_flight
        self._answering = Answering(in_flight)
        self._models = Models(services)
        metering = Metering(services.limiter, services.recorder)
        embedder = services.embedder
        embeddings = Embeddings(embedder) if embedder is not None else None
        rerank = Rerank(embedder) if embedder is not None else None
        chat = Chat(services, metering, clock)
        self._responses = Responses(chat, lambda: services.default_model, clock)
        self._handlers: dict[str, tuple[str, Handler]] = {
            "models": ("GET", self._models.every),
            "usage": (
                "GET",
                lambda request, reply: usage(request.call.principal, request.query, reply),
            ),
            "chat/completions": ("POST", chat),
            "completions": ("POST", Completions(services, metering)),
            "responses": ("POST", self._responses),
            "embeddings": ("POST", Routed("embeddings", services, metering, local=embeddings)),
            "rerank": ("POST", Routed("rerank", services, metering, local=rerank)),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        reply = Reply(send)

        async def prepare() -> Work:
            handler, request = await self._admitted(scope, receive, request_id)
            reply.headers = lambda: request.call.headers  # what is left of one's limits
            return functools.partial(handler, request, reply)

        await self._answering(prepare, reply, receive)

    async def _admitted(
        self, scope: Scope, receive: Receive, request_id: str
    ) -> tuple[Handler, ModelRequest]:
        principal = await require_member(scope, self._gate)
        if self._in_flight.draining:
            raise stopping()
        name, handler = self._handler(path_of(scope), scope["method"])
        call = Call(
            request_id=request_id,
            principal=principal,
            model="",
            operation=name,
            started=time.perf_counter(),
        )
        call.traceparent, call.tracestate = trace_context(scope)
        body = await read_body(receive)
        return handler, ModelRequest(request_id, body, call=call, query=scope["query_string"])

    def _handler(self, path: str, method: str) -> tuple[str, Handler]:
        name = next(path.removeprefix(prefix) for prefix in PREFIXES if path.startswith(prefix))
        expected: str
        handler: Handler
        if name.startswith("models/"):
            one = functools.partial(self._models.one, name.removeprefix("models/"))
            expected, handler = "GET", one
        elif re.fullmatch(_KEPT_RESPONSES.get(method, _NEVER), name):
            expected, handler = method, functools.partial(self._responses.one, name.split("/")[1])
        elif name in self._handlers:
            expected, handler = self._handlers[name]
        else:
            known = ", ".join(self._handlers)
            raise Problem(
                404, f"Rien ne répond à {path!r}. Adresses connues : {known}.", code="unknown_url"
            )
        if method != expected:
            problem = Problem(
                405, f"{path} s'appelle par {expected}, et non {method}.", code="method_not_allowed"
            )
            problem.headers = ((b"allow", expected.encode()),)
            raise problem
        return name, handler
