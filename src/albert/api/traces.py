"""OpenTelemetry spans of calls to models, by the GenAI semantic conventions; nothing of content.

The packages are those of the extra ``traces``, imported only where an address is set.
Conventions: Semantic conventions for generative client AI spans, and W3C Trace Context.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import Scope

from albert import __version__
from albert.api.call import Call
from albert.asgi.exchange import header
from albert.domain.errors import SettingInvalid

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE = re.compile(r"[\x20-\x7e]{0,512}")
_OPERATIONS = {"chat/completions": "chat", "responses": "chat", "completions": "text_completion"}
_EXPORT_SECONDS = 3.0
"""Given to the collector: the service must not wait for it long when it stops."""


def trace_context(scope: Scope) -> tuple[str, str]:
    """Return the request's ``traceparent`` and ``tracestate``; empty where it has no valid one."""
    parent = header(scope, b"traceparent")
    if not _PARENT.fullmatch(parent):
        return "", ""
    state = header(scope, b"tracestate")
    return parent, state if _STATE.fullmatch(state) else ""


def outgoing_headers(call: Call) -> dict[str, str]:
    """Return what tells the engine of the trace: our span's context, or the client's as it came."""
    said = {"traceparent": call.traceparent, "tracestate": call.tracestate}
    return {name: value for name, value in said.items() if value}


class Traces:
    """A ``Recorder``: a span for each call, sent in the background.

    While a call runs, its ``traceparent`` is that of its span.
    """

    def __init__(self, endpoint: str) -> None:
        """``endpoint`` is a collector's address for OTLP over HTTP, before ``/v1/traces``.

        Raises:
            SettingInvalid: it is no address, or the packages are not installed.
        """
        if not endpoint.startswith(("http://", "https://")):
            raise SettingInvalid(
                "OTEL_EXPORTER_OTLP_ENDPOINT doit commencer par http:// ou https:// : "
                "c'est l'adresse OTLP/HTTP du collecteur."
            )
        try:
            from opentelemetry import trace
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError:
            raise SettingInvalid(_MISSING) from None
        self._trace = trace
        self._propagator = TraceContextTextMapPropagator()
        self._provider = _provider(endpoint)
        self._tracer = self._provider.get_tracer("albert", __version__)
        self._spans: dict[int, Span] = {}

    def began(self, call: Call) -> None:
        said = {"traceparent": call.traceparent, "tracestate": call.tracestate}
        operation = _OPERATIONS.get(call.operation, call.operation)
        span = self._tracer.start_span(
            f"{operation} {call.model}",
            self._propagator.extract(said),
            kind=self._trace.SpanKind.CLIENT,
            start_time=time.time_ns() - int(1e9 * (time.perf_counter() - call.started)),
            attributes={
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": "albert",
                "gen_ai.request.model": call.model,
                "gen_ai.request.stream": call.stream,
                "albert.request_id": call.request_id,
            },
        )
        self._spans[id(call)] = span
        told: dict[str, str] = {}
        self._propagator.inject(told, self._trace.set_span_in_context(span))
        call.traceparent, call.tracestate = told["traceparent"], told.get("tracestate", "")

    def ended(self, call: Call) -> None:
        span = self._spans.pop(id(call))
        span.set_attributes(_told(call))
        if call.status >= 400:
            span.set_attribute("error.type", str(call.status))
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(time.time_ns() - int(1e9 * (time.perf_counter() - call.ended)))

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)


_MISSING = (
    "Les traces demandent des paquets de plus : installez albert[traces], "
    "ou retirez OTEL_EXPORTER_OTLP_ENDPOINT."
)


def _provider(endpoint: str) -> TracerProvider:
    """Return what makes spans and sends them to the collector.

    Raises:
        SettingInvalid: the packages are not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingInvalid(_MISSING) from None
    named = Resource.create({"service.name": "albert", "service.version": __version__})
    provider = TracerProvider(resource=named)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _told(call: Call) -> dict[str, str | int | float]:
    said: dict[str, str | int | float] = {
        "gen_ai.response.model": call.answered_by or call.model,
        "gen_ai.usage.input_tokens": call.prompt_tokens,
        "gen_ai.usage.output_tokens": call.completion_tokens,
        "http.response.status_code": call.status,
        "albert.attempts": call.attempts,
        "albert.queue_seconds": call.queued,
    }
    if call.cached_tokens:
        said["gen_ai.usage.cache_read.input_tokens"] = call.cached_tokens
    if call.stream and call.first:
        said["gen_ai.response.time_to_first_chunk"] = call.first - call.started
    if call.replica:
        parts = urlsplit(call.replica)
        said["server.address"] = parts.hostname or ""
        if parts.port:
            said["server.port"] = parts.port
    return said
