"""What calls count, and who may read it. The text is read by Prometheus's own client."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message, Scope

from albert.api.app import create_app
from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.gateway import Gateway, GatewayServices
from albert.api.metrics import calls
from albert.api.metrics.catalogue import ALL
from albert.api.metrics.page import Metrics
from albert.api.metrics.replicas import ReplicaState
from albert.testing.services import ask, scripted

SOMEBODY = Principal(user_id=7, username="camille")
LLAMA = {"model": "llama", "operation": "chat/completions"}


def call(**said: object) -> Call:
    known = {"request_id": "r1", "principal": SOMEBODY, "started": 10.0, "ended": 10.2}
    return Call(**{**LLAMA, **known, "status": 200, **said})  # type: ignore[arg-type]  # a test's


def told(metrics: Metrics, *ended: Call) -> Metrics:
    for one in ended:
        metrics.calls.began(one)
        metrics.calls.ended(one)
    return metrics


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    return counted(metrics.text(), name)


def counted(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of that name, by the values of their labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_calls_are_counted_by_model_operation_and_status() -> None:
    other = call(model="e5", operation="embeddings")
    metrics = told(Metrics(), call(), call(), call(status=502), other)

    assert values(metrics, "albert_requests_total") == {
        ("llama", "chat/completions", "200"): 2,
        ("llama", "chat/completions", "502"): 1,
        ("e5", "embeddings", "200"): 1,
    }


def test_a_call_is_in_flight_until_it_has_ended() -> None:
    metrics, one = Metrics(), call()
    metrics.calls.began(one)
    assert values(metrics, "albert_requests_in_flight") == {("llama", "chat/completions"): 1}

    metrics.calls.ended(one)
    assert values(metrics, "albert_requests_in_flight") == {("llama", "chat/completions"): 0}


def test_a_bucket_counts_all_that_is_at_most_its_bound() -> None:
    metrics = told(Metrics(), *(call(started=0.0, ended=took) for took in (0.02, 0.025, 0.3, 999)))
    buckets = values(metrics, "albert_request_seconds_bucket")

    by_bound = {bound: count for (_, _, bound), count in buckets.items()}
    assert (by_bound["0.01"], by_bound["0.025"], by_bound["0.25"]) == (0, 2, 2)
    assert (by_bound["0.5"], by_bound["300"], by_bound["+Inf"]) == (3, 3, 4)
    assert values(metrics, "albert_request_seconds_count") == {("llama", "chat/completions"): 4}
    assert values(metrics, "albert_request_seconds_sum") == {
        ("llama", "chat/completions"): pytest.approx(999.345)
    }


def test_a_stream_tells_its_first_token_and_its_speed() -> None:
    streamed = call(stream=True, first=10.5, ended=12.5, completion_tokens=41, queued=0.1)
    metrics = told(Metrics(), streamed, call(completion_tokens=41, first=10.1))

    assert values(metrics, "albert_first_token_seconds_sum") == {
        ("llama", "chat/completions"): 0.5  # and nothing of the one that was not streamed
    }
    assert values(metrics, "albert_tokens_per_second_sum") == {
        ("llama", "chat/completions"): 20  # forty tokens, in the two seconds after the first
    }
    assert values(metrics, "albert_queue_seconds_sum") == {("llama", "chat/completions"): 0.1}


def test_tokens_retries_and_fallbacks_add_up() -> None:
    metrics = told(
        Metrics(),
        call(prompt_tokens=100, completion_tokens=20, cached_tokens=64, attempts=1),
        call(prompt_tokens=10, completion_tokens=2, attempts=3, answered_by="autre"),
        call(answered_by="llama"),
    )

    assert values(metrics, "albert_tokens_total") == {
        ("llama", "chat/completions", "prompt"): 110,
        ("llama", "chat/completions", "completion"): 22,
        ("llama", "chat/completions", "cached"): 64,
    }
    assert values(metrics, "albert_retries_total") == {("llama", "chat/completions"): 2}
    assert values(metrics, "albert_fallbacks_total") == {("llama", "chat/completions", "autre"): 1}


def test_a_model_without_a_name_and_models_beyond_a_bound_are_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "_MOST_LINES", 2)
    metrics = told(Metrics(), *(call(model=name) for name in ("", "a", "b", "c", "a")))

    assert values(metrics, "albert_requests_total") == {
        ("unknown", "unknown", "200"): 3,
        ("a", "chat/completions", "200"): 2,
    }


def test_labels_are_quoted() -> None:
    name = 'un "modèle"\\à\nproblèmes'
    metrics = told(Metrics(), call(model=name))
    assert values(metrics, "albert_requests_total") == {(name, "chat/completions", "200"): 1}


def test_each_replica_is_in_one_state() -> None:
    first = ReplicaState(model="llama", address="http://10.0.0.1/v1", state="closed", in_flight=3)
    second = ReplicaState(
        model="llama", address="http://10.0.0.2/v1", state="half-open", weight=2.0, lost=4
    )
    metrics = Metrics(replicas=lambda: [first, second])

    held = {key for key, value in values(metrics, "albert_replica_state").items() if value}
    assert held == {
        ("llama", "http://10.0.0.1/v1", "closed"),
        ("llama", "http://10.0.0.2/v1", "half-open"),
    }
    busy = values(metrics, "albert_replica_requests_in_flight")
    assert busy["llama", "http://10.0.0.1/v1"] == 3
    assert values(metrics, "albert_replica_weight")["llama", "http://10.0.0.2/v1"] == 2
    assert values(metrics, "albert_replica_lost_total")["llama", "http://10.0.0.2/v1"] == 4


def test_what_is_written_is_the_catalogue() -> None:
    text = Metrics(token_checks=lambda: (5, 2)).text()
    written = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert written == {family.name for family in ALL}


def test_tokens_known_and_read_are_told_apart() -> None:
    metrics = Metrics(token_checks=lambda: (5, 2))
    assert values(metrics, "albert_token_checks_total") == {("hit",): 5, ("miss",): 2}


def read(metrics: Metrics, client: str, *headers: tuple[bytes, bytes], method: str = "GET") -> int:
    """Return the status of ``GET /metrics`` from that address."""
    scope: Scope = {"method": method, "headers": headers, "client": (client, 1)}
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    asyncio.run(metrics(scope, receive, send))
    status: int = said[0]["status"]
    return status


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", (), 200),
        ("127.8.8.8", (), 200),
        ("::1", (), 200),
        ("10.0.0.1", (), 403),
        ("", (), 403),
        ("127.0.0.1", ((b"x-forwarded-for", b"127.0.0.1"),), 403),  # a proxy asks for anybody
        ("127.0.0.1", ((b"forwarded", b"for=127.0.0.1"),), 403),
    ],
)
def test_without_a_key_only_this_machine_may_read(
    client: str, headers: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    assert read(Metrics(), client, *headers) == status


@pytest.mark.parametrize(
    ("said", "status"),
    [(b"Bearer secret", 200), (b"Bearer autre", 401), (b"secret", 401), (b"", 401)],
)
def test_a_key_opens_them_from_anywhere_and_is_wanted_everywhere(said: bytes, status: int) -> None:
    headers = ((b"authorization", said),) if said else ()
    assert read(Metrics(key="secret"), "10.0.0.1", *headers) == status
    assert read(Metrics(key="secret"), "127.0.0.1", *headers) == status


def test_metrics_are_only_read() -> None:
    assert read(Metrics(), "127.0.0.1", method="POST") == 405


def test_the_service_counts_its_answers_refusals_included() -> None:
    services = replace(scripted(), metrics=Metrics(key="secret"))
    app = create_app(services)

    async def play() -> str:
        await ask(app, "GET", "/v1/models")
        await ask(app, "GET", "/v1/models", key=None)
        await ask(app, "GET", "/v1/inconnu")
        await ask(app, "GET", "/api/v2/healthcheck")
        return (await ask(app, "GET", "/metrics", key="secret")).body.decode()

    assert counted(asyncio.run(play()), "albert_http_answers_total") == {
        ("v1", "200"): 1,
        ("v1", "401"): 1,
        ("v1", "404"): 1,
        ("v2", "200"): 1,
    }


def test_a_gateway_alone_has_them_too() -> None:
    services = scripted()
    gateway = Gateway(
        GatewayServices(
            gate=services.gate,
            database=services.database,
            dispatcher=services.dispatcher,
            metrics=Metrics(key="secret"),
        )
    )

    async def play() -> str:
        await ask(gateway, "GET", "/v1/models")
        await ask(gateway, "GET", "/ailleurs")
        return (await ask(gateway, "GET", "/metrics", key="secret")).body.decode()

    assert counted(asyncio.run(play()), "albert_http_answers_total") == {
        ("v1", "200"): 1,
        ("v2", "404"): 1,
    }
