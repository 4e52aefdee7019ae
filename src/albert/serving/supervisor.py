"""The engines of this machine: what the table wants runs, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp

from albert.routing.table import DriverName, RoutedModel
from albert.serving.engine_log import EngineLog
from albert.serving.engines.contract import Driver
from albert.serving.patience import Patience
from albert.serving.probe import Probe
from albert.serving.watched import Means, WatchedEngine

Changed = Callable[[WatchedEngine], None]
"""Called in the loop at each change of state; must return at once."""


def launched_here(models: Iterable[RoutedModel], drivers: Iterable[str]) -> list[RoutedModel]:
    """Return the models that this machine serves: a driver launches them, and no host is said."""
    known = set(drivers)
    return [
        model
        for model in models
        if model.driver in known and any(not replica.host for replica in model.replicas)
    ]


class Supervisor:
    """``async with Supervisor(drivers, …) as supervisor: await supervisor.reconcile(models)``.

    Every engine ends with the block, and with this process, however that ends.
    """

    def __init__(
        self,
        drivers: Mapping[DriverName, Driver],
        *,
        weights: Callable[[RoutedModel], Path],
        logs: Path,
        environment: Mapping[str, str],
        patience: Patience = Patience(),
    ) -> None:
        """``weights`` finds a model's weights on this machine, or raises ``InferenceError``.

        Of ``environment``, engines receive what is no secret (``serving.scrubbed``).
        """
        self._drivers = drivers
        self._weights = weights
        self._logs = logs
        self._environment = environment
        self._patience = patience
        self._engines: dict[str, WatchedEngine] = {}
        self._watchers: list[Changed] = []
        self._reconciling = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    @property
    def engines(self) -> Mapping[str, WatchedEngine]:
        """By the name of the model; a live view."""
        return MappingProxyType(self._engines)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.reconcile(())
        finally:
            if self._session is not None:
                await self._session.close()

    def watch(self, changed: Changed) -> None:
        """Call ``changed`` from now on, whenever an engine's state changes."""
        self._watchers.append(changed)

    def leaving(self, models: Iterable[RoutedModel]) -> list[WatchedEngine]:
        """Return the engines that ``reconcile`` would stop."""
        wanted = {model.name: model for model in launched_here(models, self._drivers)}
        return [one for name, one in self._engines.items() if not _same(one, wanted.get(name))]

    async def reconcile(self, models: Iterable[RoutedModel]) -> None:
        """Start what is new, stop what is gone, restart what changed or had failed.

        Those which are as they were are left alone. Returns once what had to stop has
        stopped; does not wait for engines to be ready (``settle``).
        """
        wanted = {model.name: model for model in launched_here(models, self._drivers)}
        async with self._reconciling:
            leaving = self.leaving(wanted.values())
            await asyncio.gather(*(engine.stop() for engine in leaving))
            for engine in leaving:
                del self._engines[engine.model.name]
            for name, model in wanted.items():
                if name in self._engines:
                    self._engines[name].model = model  # its limits may have changed
                else:
                    self._engines[name] = self._launch(model)

    async def start(self, models: Iterable[RoutedModel]) -> None:
        """Reconcile, and wait until every engine is ready.

        Raises:
            InferenceError: one of them cannot be; with its last words.
        """
        await self.reconcile(models)
        await self.settle()
        for engine in self._engines.values():
            if engine.error is not None:
                raise engine.error

    async def settle(self) -> None:
        """Wait until every engine is ready, or is given up."""
        await asyncio.gather(*(engine.settled.wait() for engine in self._engines.values()))

    def _launch(self, model: RoutedModel) -> WatchedEngine:
        assert self._session is not None  # noqa: S101 — within the block
        patience = self._patience
        engine = WatchedEngine(
            model,
            self._drivers[model.driver],
            Means(
                weights=self._weights,
                environment=self._environment,
                probe=Probe(self._session, poll=patience.poll, patience=patience.health),
                patience=patience,
            ),
            log=EngineLog(self._logs / f"{quote(model.name, safe=' ')}.log", model.name),
            changed=self._tell,
        )
        engine.start()
        return engine

    def _tell(self, engine: WatchedEngine) -> None:
        for changed in self._watchers:
            changed(engine)


def _same(engine: WatchedEngine, model: RoutedModel | None) -> bool:
    """Whether ``engine`` runs, or is about to, what ``model`` asks for."""
    return model is not None and engine.state != "failed" and _asked(engine.model) == _asked(model)


def _asked(model: RoutedModel) -> tuple[object, ...]:
    """What a change of must restart the engine; limits, costs and names do not."""
    return (
        *(model.type, model.driver, model.hf_repo_id, model.revision, model.file),
        *(model.upstream_name, model.engine),
    )
