"""An LLM service behind a real uvicorn, and engines that tests write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from http_served import serving

from albert.routing.table import RoutedModel
from albert.serving.llm_service import LLMService

NAME = "petit"


@dataclass
class Engine:
    """How an engine is: what a supervisor would say of it."""

    base_url: str = ""
    key: str = "clé-du-moteur"
    ready: bool = True
    detail: str = ""
    request_extra: Mapping[str, object] = field(default_factory=dict)
    unable: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def calling(
    engine: Engine, model: RoutedModel | None = None, **more: object
) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client of a service in front of ``engine``; its key is said at each call."""
    service = LLMService(
        model=model or RoutedModel(name=NAME, driver="openai"),
        engine=engine,
        **{"key": "cle", "prompt_config": b"{}", **more},  # type: ignore[arg-type]  # a test's own arguments
    )
    async with (
        serving(service) as (address, _),
        aiohttp.ClientSession(address, headers={"Authorization": "Bearer cle"}) as client,
    ):
        yield client
