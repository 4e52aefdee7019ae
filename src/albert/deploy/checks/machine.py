"""The machine under examination: what the environment wants of it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from albert.deploy.checks.apart import apart
from albert.deploy.checks.asking import Asking
from albert.deploy.plan import LOCAL, Kind, Plan, Service
from albert.domain.home import Home
from albert.routing.table import Replica, RoutingTable
from albert.settings import Settings, models_folder


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
    hosts = [host] if host else [name for name in plan.hosts if await _is_here(name)]
    return tuple(
        service for name in hosts for service in plan.on(name) if not roles or service.kind in roles
    )


async def _is_here(host: str) -> bool:
    if host in (LOCAL, socket.gethostname()):
        return True
    return await apart(lambda: _is_ours(host))


def _is_ours(host: str) -> bool:
    """Whether a name leads to an address of this machine: only then can it be listened on."""
    if host == socket.getfqdn():
        return True
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(_bindable(family, str(place[0])) for family, _, _, _, place in found)


def _bindable(family: socket.AddressFamily, address: str) -> bool:
    if ipaddress.ip_address(address.partition("%")[0]).is_unspecified:
        return False
    with socket.socket(family, socket.SOCK_STREAM) as asked:
        try:
            asked.bind((address, 0))
        except OSError:
            return False
    return True
