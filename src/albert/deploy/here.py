"""Whether a machine that a table or an environment names is this one."""

from __future__ import annotations

import socket
from collections.abc import Collection
from contextlib import suppress

from albert.deploy.plan import LOCAL, Plan, Service, machine
from albert.domain.errors import EnvironmentInvalid

_DISCARD = 9
"""Any port: nothing is sent there."""


def services_here(plan: Plan, said: str = "") -> tuple[Service, ...]:
    """Return the services of this machine, which the plan knows as ``said``; empty: found out.

    Raises:
        EnvironmentInvalid: none is for it.
    """
    wanted = machine(said) if said else ""
    found = tuple(
        one for one in plan.services if (one.host == wanted if wanted else is_here(one.host))
    )
    if not found:
        others = ", ".join(plan.hosts) or "aucune"
        raise EnvironmentInvalid(
            f"Aucun service n'est pour {said or 'cette machine'} (machines nommées : {others}) : "
            "corrigez API_HOSTS ou la table de routage, ou dites son nom par --host."
        )
    return found


def is_here(host: str) -> bool:
    """Whether ``host``, a name or an address, leads to this machine."""
    names: Collection[str] = (LOCAL, socket.gethostname())
    if host in names or machine(host) == LOCAL:
        return True
    try:
        found = socket.getaddrinfo(host, _DISCARD, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_is_ours(family, str(place[0])) for family, _, _, _, place in found)


def _is_ours(family: int, address: str) -> bool:
    """Whether the kernel would speak to ``address`` from that very address: nothing is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect((address, _DISCARD))
        return bool(probe.getsockname()[0] == address)
    return False
