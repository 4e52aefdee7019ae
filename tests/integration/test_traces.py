"""Spans as a collector receives them: OTLP over HTTP, its protobuf decoded by OpenTelemetry's."""

import asyncio
import gzip

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from starlette.types import Scope

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.traces import Traces, outgoing_headers, trace_context
from albert.domain.errors import SettingInvalid

pytestmark = pytest.mark.integration

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = f"00-{TRACE}-{PARENT}-01"


def call(**said: object) -> Call:
    known: dict[str, object] = {
        "request_id": "r1",
        "principal": Principal(user_id=7, username="camille"),
        "model": "llama",
        "operation": "chat/completions",
        "started": 10.0,
    }
    return Call(**{**known, **said})  # type: ignore[arg-type]  # a test's


def exported(*calls: Call) -> tuple[list[Span], list[dict[str, str]]]:
    """Return the spans that a collector got of these calls, and what engines were told."""
    bodies: list[bytes] = []

    async def collect(request: web.Request) -> web.Response:
        assert request.path == "/v1/traces"
        bodies.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    async def run() -> list[dict[str, str]]:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", collect)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        traces = Traces(f"http://127.0.0.1:{runner.addresses[0][1]}/")
        told = []
        for one in calls:
            traces.began(one)
            told.append(outgoing_headers(one))
            traces.ended(one)
        await traces.close()
        await runner.cleanup()
        return told

    told = asyncio.run(run())
    spans = []
    for body in bodies:
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for resource in ExportTraceServiceRequest.FromString(plain).resource_spans:
            assert {a.key: a.value.string_value for a in resource.resource.attributes}[
                "service.name"
            ] == "albert"
            spans += [span for scope in resource.scope_spans for span in scope.spans]
    return spans, told


def read(value: AnyValue) -> object:
    return getattr(value, value.WhichOneof("value") or "string_value")


def test_a_call_is_a_span_by_the_conventions_within_the_client_s_trace() -> None:
    one = call(
        stream=True,
        first=10.25,
        ended=11.5,
        status=200,
        prompt_tokens=74,
        completion_tokens=55,
        cached_tokens=64,
        replica="http://10.0.0.1:8000/v1",
        attempts=2,
        queued=0.125,
        traceparent=CONTEXT,
        tracestate="a=b",
    )
    (span,), (told,) = exported(one)

    assert span.name == "chat llama"
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.end_time_unix_nano - span.start_time_unix_nano == pytest.approx(1.5e9, rel=0.1)
    assert {a.key: read(a.value) for a in span.attributes} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "albert",
        "gen_ai.request.model": "llama",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "llama",
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 74,
        "gen_ai.usage.output_tokens": 55,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "http.response.status_code": 200,
        "server.address": "10.0.0.1",
        "server.port": 8000,
        "albert.request_id": "r1",
        "albert.attempts": 2,
        "albert.queue_seconds": 0.125,
    }
    assert told == {"traceparent": f"00-{TRACE}-{span.span_id.hex()}-01", "tracestate": "a=b"}


def test_a_call_without_a_trace_begins_one_and_a_failure_is_told() -> None:
    (span,), (told,) = exported(call(operation="embeddings", ended=10.1, status=503))

    assert span.name == "embeddings llama"
    assert span.parent_span_id == b""
    assert told["traceparent"].split("-")[1:3] == [span.trace_id.hex(), span.span_id.hex()]
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert {a.key: read(a.value) for a in span.attributes}["error.type"] == "503"


def test_who_is_not_traced_by_us_is_still_followed() -> None:
    assert outgoing_headers(call(traceparent=CONTEXT)) == {"traceparent": CONTEXT}
    assert outgoing_headers(call()) == {}


@pytest.mark.parametrize(
    "said",
    ["", "n'importe quoi", CONTEXT + "-x", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"],
)
def test_a_context_that_is_none_is_forgotten(said: str) -> None:
    headers = [(b"traceparent", said.encode()), (b"tracestate", b"a=b")]
    scope: Scope = {"headers": headers}
    assert trace_context(scope) == ("", "")


def test_a_context_is_read_with_its_state() -> None:
    headers = [(b"traceparent", CONTEXT.encode()), (b"tracestate", b"a=b")]
    scope: Scope = {"headers": headers}
    assert trace_context(scope) == (CONTEXT, "a=b")


def test_an_address_that_is_none_is_told_at_once() -> None:
    with pytest.raises(SettingInvalid, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        Traces("collecteur:4318")
