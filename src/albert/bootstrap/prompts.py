"""How each model of the table is asked: its own configuration where it has one, else ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from albert.domain.errors import AlbertError
from albert.prompt.config import PromptConfig, built_in, read_config, read_inlined
from albert.prompt.formats import stops, writer
from albert.prompt.modes import Mode
from albert.routing.chat_model import Raw
from albert.routing.dispatch import Dispatcher
from albert.routing.route import Route

_log = logging.getLogger(__name__)

_AGAIN = 60.0
"""Seconds between two looks: a model's service may start after us, or change."""


class Prompts:
    """Follows the configurations; until one is known, the built-in modes serve."""

    def __init__(self, dispatcher: Dispatcher, folder: Callable[[Route], Path | None]) -> None:
        """``folder`` finds that of a model whose weights are on this machine."""
        self._dispatcher = dispatcher
        self._folder = folder
        self._known: dict[str, PromptConfig] = {}
        self._modes: dict[str, Mapping[str, Mode]] = {}
        self._task: asyncio.Task[None] | None = None

    def modes(self, model: str) -> Mapping[str, Mode]:
        """Return the modes of a model, by name."""
        if model not in self._modes:
            self._modes[model] = self._known.get(model, built_in()).modes(model)
        return self._modes[model]

    def raw(self, model: str) -> Raw | None:
        """Return how a model's conversations are written as one text, where they must be."""
        shape = self._known.get(model, built_in()).prompt_format(model)
        write = writer(shape)
        return Raw(write, stops(shape)) if shape and write else None

    async def start(self) -> None:
        """Learn what can be learnt now, then keep looking until ``stop``."""
        await self.look()
        self._task = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN)
            await self.look()

    async def look(self) -> None:
        """Read every configuration that can be had; one that is wrong is told to the log."""
        writing = [r for r in self._dispatcher.fleet if r.model.type == "text-generation"]
        await asyncio.gather(*(self._learn(route) for route in writing))

    async def _learn(self, route: Route) -> None:
        name = route.model.name
        try:
            config = await self._config(route)
        except AlbertError as error:
            _log.error("prompts refused: %s", error, extra={"action": "prompts_refused"})
            return
        if config is None or config == self._known.get(name):
            return
        self._known[name] = config
        self._modes.pop(name, None)

    async def _config(self, route: Route) -> PromptConfig | None:
        folder = await asyncio.to_thread(self._folder, route)
        if folder is not None:
            return await asyncio.to_thread(read_config, folder)
        if route.model.driver == "openai":  # somebody else's service knows nothing of our modes
            return None
        told = await self._dispatcher.prompt_config(route)
        return read_inlined(told, f"« {route.model.name} »") if told else None
