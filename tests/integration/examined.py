"""A machine to examine, as ``albert doctor`` makes it, from variables and a table of models."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from albert.deploy.checks.asking import Asking
from albert.deploy.checks.finding import Finding, Level
from albert.deploy.checks.machine import Machine, services_here
from albert.deploy.plan import plan
from albert.routing.table import RoutedModel, RoutingTable
from albert.settings import load

Check = Callable[[Machine], Awaitable[list[Finding]]]


@asynccontextmanager
async def machine(
    values: dict[str, str], *models: RoutedModel, host: str = "", seconds: float = 4.0
) -> AsyncIterator[Machine]:
    planned = plan("test", values, models)
    async with Asking(seconds) as asking:
        yield Machine(
            settings=load(values),
            values=values,
            table=RoutingTable({model.name: model for model in models}),
            plan=planned,
            services=await services_here(planned, host=host),
            asking=asking,
        )


def found(
    check: Check,
    values: dict[str, str],
    *models: RoutedModel,
    host: str = "",
    seconds: float = 4.0,
) -> list[Finding]:
    """Run one check, and return what it found; none of it shows what is secret."""

    async def scenario() -> list[Finding]:
        async with machine(values, *models, host=host, seconds=seconds) as examined:
            return await check(examined)

    told = asyncio.run(scenario())
    hidden = [value for name, value in values.items() if name.endswith(("KEY", "PASSWORD"))]
    assert not [one for one in told for value in hidden if value and value in str(one)]
    return told


def levels(told: list[Finding]) -> list[Level]:
    return [finding.level for finding in told]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port: int = chosen.getsockname()[1]
        return port


@contextmanager
def mute() -> Iterator[int]:
    """A port of this machine that lets everybody in and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        port: int = listener.getsockname()[1]
        yield port
