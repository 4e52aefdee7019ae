"""Whether the replicas of the routing table answer, asked once and briefly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import aiohttp

from albert.routing.table import RoutedModel

State = Literal["sert", "en attente", "arrêté", "local"]
"""``local``: « albert up » launches it on this machine, at an address of its own choice."""

_PATIENCE = 1.0  # seconds


async def states(models: Sequence[RoutedModel]) -> list[tuple[State, ...]]:
    """Return the state of each replica of each model; all are asked at once."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        asked = [
            asyncio.gather(*(_state(session, replica.address) for replica in model.replicas))
            for model in models
        ]
        return [tuple(await each) for each in asked]


async def _state(session: aiohttp.ClientSession, address: str) -> State:
    """Ask for the models: whatever is said, below 500, somebody is there to say it."""
    if not address:
        return "local"
    try:
        async with session.get(f"{address}/models", allow_redirects=False) as answer:
            return "sert" if answer.status < 500 else "en attente"
    except aiohttp.ClientConnectorError:
        return "arrêté"
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return "en attente"
