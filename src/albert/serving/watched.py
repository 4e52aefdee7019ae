"""One engine, launched, watched, and launched again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from albert.domain.errors import InferenceError
from albert.domain.mishaps import reason
from albert.routing.table import RoutedModel
from albert.serving.engine_log import EngineLog
from albert.serving.engine_process import EngineProcess
from albert.serving.engines.contract import Driver, Launch, Order
from albert.serving.patience import Patience, Pauses
from albert.serving.probe import Probe, Refusal

logger = logging.getLogger(__name__)

State = Literal["starting", "ready", "restarting", "failed", "stopped"]
"""``failed`` is given up until the table is read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every engine of a supervisor is launched with."""

    weights: Callable[[RoutedModel], Path]
    """Finds the weights of a model on this machine, or raises ``InferenceError``."""
    environment: Mapping[str, str] = field(repr=False)
    probe: Probe
    patience: Patience


class WatchedEngine:
    """What a supervisor tells of an engine (``EngineState``), and its life."""

    def __init__(
        self,
        model: RoutedModel,
        driver: Driver,
        means: Means,
        *,
        log: EngineLog,
        changed: Callable[[WatchedEngine], None],
    ) -> None:
        self.model = model
        self.request_extra: Mapping[str, object] = driver.request_extra
        self.state: State = "starting"
        self.detail = f"« {model.name} » démarre."
        self.base_url = ""
        self.key = secrets.token_urlsafe(32)
        self.error: InferenceError | None = None
        """Why it was given up, in full: for the operator's eyes."""
        self.window = model.engine.context or 0
        """Tokens of each reader; 0 where the engine alone knows."""
        self.unable: Mapping[str, str] = {}
        self.launches = 0
        self.pid = 0
        """Of its process while it lives, else 0."""
        self.log = log
        self.settled = asyncio.Event()
        """It is ready, or is no longer tried."""
        self._driver = driver
        self._means = means
        self._changed = changed
        self._pauses = Pauses(means.patience)
        self._served = False
        self._port = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        return self.state == "ready"

    def start(self) -> None:
        self._task = asyncio.create_task(self._live(), name=f"engine {self.model.name}")
        self._task.add_done_callback(self._left)

    async def stop(self) -> None:
        """End its process, and all that came of it. May be called twice."""
        if self._task is None:
            return
        if self.state != "stopped":
            self._become("stopped", f"« {self.model.name} » est arrêté.")
        self._task.cancel()
        await asyncio.wait((self._task,))

    def _left(self, task: asyncio.Task[None]) -> None:
        """Let nobody wait for an engine that a fault of ours has lost."""
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("engine lost", exc_info=error, extra={"action": "engine_lost"})
            why = f"« {self.model.name} » n'est plus surveillé : une erreur interne est survenue."
            self.error = InferenceError(why)
            self._become("failed", why)

    async def _live(self) -> None:
        """Live one life after the other, until cancelled or given up."""
        patience, name = self._means.patience, f"« {self.model.name} »"
        while True:
            try:
                served, why = await self._one_life()
            except InferenceError as error:
                return await self._give_up(error, "ne peut pas être lancé")
            except OSError as error:
                told = f"Le moteur de {name} ne peut pas être lancé : {reason(error)}."
                return await self._give_up(InferenceError(told), "ne peut pas être lancé")
            pause = self._pauses.after(served)
            if not self._served and self._pauses.failures >= patience.attempts:
                return await self._give_up(InferenceError(self._last_words(why)), why)
            self._become("restarting", f"{name} {why} : il est relancé dans {pause:g} s.")
            await self.log.say(f"{why} ; relancé dans {pause:g} s")
            await asyncio.sleep(pause)

    async def _give_up(self, error: InferenceError, why: str) -> None:
        self.error = error
        await self.log.say(str(error))
        self._become("failed", f"« {self.model.name} » {why} : consultez son journal.")

    def _last_words(self, why: str) -> str:
        end = "".join(f"\n{line}" for line in self.log.last)
        return (
            f"Le modèle « {self.model.name} » n'a pas démarré ({why}) : essayez d'autres poids, ou "
            f"d'autres options, et consultez {self.log.file}"
            + (f", qui finit par :{end}" if end else ".")
        )

    async def _one_life(self) -> tuple[float, str]:
        """Launch, watch until the end; return for how long it served, and how it ended.

        Raises:
            InferenceError: nothing can be launched: its driver says why.
            OSError: the program cannot be run.
        """
        launch = await asyncio.to_thread(self._prepare)
        self.window, self.unable = launch.window or self.window, launch.unable
        self.launches += 1
        patience = self._means.patience
        async with EngineProcess(
            launch,
            log=self.log,
            environment=self._means.environment,
            secret=self.key,
            patience=patience.stop,
        ) as process:
            self.pid = process.pid
            try:
                if why := await self._wait_ready(process.ended):
                    return 0.0, why
                began = time.monotonic()
                self._served = True
                self._become("ready", "")
                why = await self._watch(process.ended)
                return time.monotonic() - began, why
            finally:
                self.pid = 0
                if self.state == "ready":
                    self._become("restarting", f"« {self.model.name} » s'est arrêté.")

    def _prepare(self) -> Launch:
        """Find the weights and a port; its own again where nobody has taken it."""
        weights = self._means.weights(self.model)
        self._port = _free_port(self._port)
        self.base_url = f"http://127.0.0.1:{self._port}/v1"
        order = Order(model=self.model, weights=weights, port=self._port, key=self.key)
        self._driver.check(order)
        return self._driver.launch(order)

    async def _wait_ready(self, ended: asyncio.Task[int]) -> str:
        """Return once it has generated a token; else what happened."""
        model = self.model
        first = asyncio.create_task(
            self._means.probe.first_answer(self.base_url, self.key, model.upstream_name, model.type)
        )
        await asyncio.wait(
            (first, ended),
            timeout=self._means.patience.start,
            return_when=asyncio.FIRST_COMPLETED,
        )
        try:
            if first.done() and not ended.done():
                first.result()
                return ""
        except Refusal as refusal:
            return f"refuse sa première demande (erreur {refusal.status})"
        finally:
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError, Refusal):
                await first
        return _ending(ended) if ended.done() else "n'est pas prêt à temps"

    async def _watch(self, ended: asyncio.Task[int]) -> str:
        """Return when it ends, or no longer answers; with what happened."""
        patience, misses = self._means.patience, 0
        while misses < patience.misses:
            done, _ = await asyncio.wait((ended,), timeout=patience.health)
            if done:
                return _ending(ended)
            alive = await self._means.probe.alive(self.base_url, self.key)
            misses = 0 if alive else misses + 1
        return "ne répond plus"

    def _become(self, state: State, detail: str) -> None:
        self.state, self.detail = state, detail
        if state in ("ready", "failed", "stopped"):
            self.settled.set()
        logger.info(
            "engine state",
            extra={"action": "engine_state", "model": self.model.name, "state": state},
        )
        self._changed(self)


def _ending(ended: asyncio.Task[int]) -> str:
    return f"s'est arrêté (code {ended.result()})"


def _free_port(wanted: int) -> int:
    """Return ``wanted`` if nobody listens there, or another port of 127.0.0.1."""
    if wanted:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", wanted)):
            return wanted
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port: int = chosen.getsockname()[1]
        return port
