"""What bounds, counts and tells of each call, made from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from albert.api.call import Recorder
from albert.api.call_log import CallLog
from albert.api.database.engine import Database
from albert.api.features.limits.limiter import DatabaseLimiter
from albert.api.features.tokens.gate import DatabaseGate
from albert.api.features.usage.recording import UsageLog
from albert.api.features.usage.spilling import Spill
from albert.api.metrics.page import Metrics
from albert.api.metrics.replicas import ReplicaState
from albert.api.recorders import Recorders
from albert.domain.home import Home
from albert.routing.fleet import Fleet
from albert.routing.table import Costs
from albert.settings import Settings

if TYPE_CHECKING:
    from albert.api.traces import Traces


class Watching:
    """One for each worker: opened once the database is, closed before it."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        database: Database,
        gate: DatabaseGate,
        fleet: Fleet,
    ) -> None:
        """Raises ``SettingInvalid`` where traces cannot be sent."""
        self.limiter = DatabaseLimiter(database)
        self.metrics = Metrics(
            key=settings.metrics_key.get_secret_value(),
            replicas=lambda: replicas(fleet),
            token_checks=lambda: (gate.hits, gate.misses),
        )
        self._usage = UsageLog(database, lambda model: _costs(fleet, model), Spill(home.usage))
        self._traces: Traces | None = None
        recorders: list[Recorder] = [self.metrics.calls, CallLog(), self._usage]
        if settings.otlp_endpoint:
            from albert.api.traces import Traces  # and OpenTelemetry, where it is wanted

            self._traces = Traces(settings.otlp_endpoint)
            recorders.insert(0, self._traces)
        self.recorder = Recorders(recorders)

    async def open(self) -> None:
        """Raises ``DatabaseError``."""
        await self.limiter.open()
        await self._usage.open()

    async def close(self) -> None:
        """Keep what was counted, and send what traces are left."""
        await self._usage.close()
        await self.limiter.close()
        if self._traces is not None:
            await self._traces.close()


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


def _costs(fleet: Fleet, model: str) -> Costs | None:
    route = fleet.find(model)
    return route.model.costs if route else None
