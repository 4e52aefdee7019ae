"""What is passed on to a model, and how its engine must hear it."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import orjson

from albert.api.v1.request import ModelRequest
from albert.asgi.fields import Fields
from albert.routing.route import Route

_JOINABLE = frozenset(("chat/completions", "completions"))
"""Operations whose events can be joined into a whole answer."""


@dataclass(frozen=True, slots=True)
class Passing:
    """What is passed on: ``fields`` are those of the request's body."""

    request: ModelRequest
    fields: Fields
    operation: str

    @property
    def stream(self) -> bool:
        """Whether the reader asked for events."""
        return self.fields.get("stream") is True

    def streamed(self, route: Route) -> bool:
        """Whether the engine is asked for events.

        llama.cpp notices that a reader left only when it has something to write: asked
        whole, it would go on to the end.
        """
        return self.stream or (route.model.driver == "llama.cpp" and self.operation in _JOINABLE)

    def body(self, route: Route) -> bytes:
        """Return the request as this model's engine must hear it."""
        if not self.streamed(route):
            if self.fields.get("model") == route.model.upstream_name:
                return self.request.body
            return orjson.dumps({**self.fields, "model": route.model.upstream_name})
        options = self.fields.get("stream_options")
        said = options if isinstance(options, dict) else {}
        return orjson.dumps(
            {
                **self.fields,
                **route.extra,
                "model": route.model.upstream_name,
                "stream": True,
                "stream_options": {**said, "include_usage": True},
            }
        )

    @property
    def asks_usage(self) -> bool:
        options = self.fields.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def affinity(self, route: Route) -> str:
        """Name the conversation: its first words are what a replica's cache may know."""
        if len(route.replicas) < 2:
            return ""
        if isinstance(named := self.fields.get("prompt_cache_key"), str):
            return named
        told = self.fields.get("messages") or self.fields.get("prompt")
        first = told[:2] if isinstance(told, list) else str(told)[:256]
        return f"{self.request.call.principal.user_id}/{crc32(repr(first).encode())}"
