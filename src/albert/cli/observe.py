"""What watches the service: its metrics, and who hears of each call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from albert.api.call import Recorder
from albert.api.call_log import CallLog
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.metrics.page import Metrics
from albert.api.metrics.replicas import ReplicaState
from albert.api.recorders import Recorders
from albert.routing.fleet import Fleet
from albert.settings import Settings


@dataclass(frozen=True, slots=True)
class Watching:
    """``close`` sends what traces are left."""

    metrics: Metrics
    recorder: Recorder
    close: Callable[[], Awaitable[None]]


def watching(settings: Settings, gate: DatabaseGate, fleet: Fleet, *others: Recorder) -> Watching:
    """Return what the settings ask for; ``others`` hear of each call too.

    Raises:
        SettingInvalid: traces cannot be sent.
    """
    metrics = Metrics(
        key=settings.metrics_key.get_secret_value(),
        replicas=lambda: replicas(fleet),
        token_checks=lambda: (gate.hits, gate.misses),
    )
    recorders: list[Recorder] = [metrics.calls, CallLog(), *others]
    if not settings.otlp_endpoint:
        return Watching(metrics, Recorders(recorders), _nothing)
    from albert.api.traces import Traces  # and OpenTelemetry, where it is wanted

    traces = Traces(settings.otlp_endpoint)
    return Watching(metrics, Recorders([traces, *recorders]), traces.close)


def replicas(fleet: Fleet) -> Iterator[ReplicaState]:
    """Yield how each replica is; what a reload dropped has no model any more."""
    for model, replica in fleet.replicas():
        yield ReplicaState(
            model=model or "unknown",
            address=replica.endpoint.base_url,
            state=replica.state,
            in_flight=replica.in_flight,
            weight=replica.weight,
            lost=replica.lost,
        )


async def _nothing() -> None:
    """Have nothing left to send."""
