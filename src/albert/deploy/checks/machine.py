"""The machine under examination: what the environment wants of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from albert.deploy.checks.apart import apart
from albert.deploy.checks.asking import Asking
from albert.deploy.here import is_here
from albert.deploy.plan import Kind, Plan, Service
from albert.deploy.plan import machine as named
from albert.domain.home import Home
from albert.routing.table import Replica, RoutingTable
from albert.settings import Settings, models_folder

_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What every check is given. ``services`` are those that the plan has on this machine."""

    settings: Settings
    values: Mapping[str, str] = field(repr=False)
    table: RoutingTable
    plan: Plan
    services: tuple[Service, ...]
    asking: Asking

    @property
    def home(self) -> Home:
        return Home(self.settings.home.expanduser().absolute())

    @property
    def storage(self) -> Path:
        return models_folder(self.settings, self.home)

    def kinds(self, *kinds: Kind) -> list[Service]:
        """Return the services of those kinds on this machine."""
        return [service for service in self.services if service.kind in kinds]

    def serves(self, replica: Replica) -> bool:
        """Whether a replica of the table is one of this machine's services."""
        return any(service.replica is replica for service in self.services)

    def key_of(self, replica: Replica) -> str:
        return self.values.get(replica.key_variable, "") if replica.key_variable else ""


async def services_here(
    plan: Plan, *, host: str = "", roles: Collection[str] = ()
) -> tuple[Service, ...]:
    """Return the services of the machine that asks, or of the one that the plan calls ``host``.

    ``roles`` keeps those of some kinds.
    """
    hosts = [named(host)] if host else await _here(plan.hosts)
    return tuple(
        service for name in hosts for service in plan.on(name) if not roles or service.kind in roles
    )


async def _here(hosts: Sequence[str]) -> list[str]:
    here = await asyncio.gather(*(leads_here(host) for host in hosts))
    return [host for host, ours in zip(hosts, here, strict=True) if ours]


async def leads_here(host: str) -> bool:
    """Whether a name or an address is this machine's; one that nobody can tell in time is not."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await apart(lambda: is_here(host))
    except TimeoutError:  # a name that no server tells is another check's matter
        return False
