"""The time: tokens expire and certificates begin by it, and machines' logs are read together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

from albert.deploy.checks.apart import spoken
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine, leads_here
from albert.deploy.checks.reach import questions

_CLOSE, _FAR = 5.0, 60.0  # seconds
_PATIENCE = 3.0
_REMEDY = "timedatectl set-ntp true"


async def check_clock(
    machine: Machine, is_here: Callable[[str], Awaitable[bool]] = leads_here
) -> list[Finding]:
    """Compare with the dates that configured addresses answer, else believe ``timedatectl``.

    What ``is_here`` is left out: there, the clock is ours.
    """
    places = list(_places(machine))
    here = await asyncio.gather(*(is_here(host) for host, _, _ in places))
    asked = await asyncio.gather(
        *(
            machine.asking.get(address, key)
            for (_, address, key), ours in zip(places, here, strict=True)
            if not ours
        )
    )
    gaps = [answer.ahead for answer in asked if answer.ahead is not None]
    if gaps:
        return [_judge(sorted(gaps)[len(gaps) // 2], len(gaps))]
    try:
        said = await spoken(("timedatectl", "show", "--property=NTPSynchronized"), _PATIENCE)
    except TimeoutError:
        said = None
    match said:
        case (0, "NTPSynchronized=yes"):
            return [ok("L'heure est réglée par le réseau (NTP).")]
        case (0, "NTPSynchronized=no"):
            return [warning("L'heure n'est pas réglée par le réseau (NTP).", _REMEDY)]
    return [warning("L'écart de l'heure est inconnu : rien à quoi la comparer.", _REMEDY)]


def _judge(gap: float, answers: int) -> Finding:
    said = f"L'heure de cette machine a {abs(gap):.0f} s d'écart avec {answers} autre(s)."
    if abs(gap) >= _FAR:
        return error(said, _REMEDY)
    return warning(said, _REMEDY) if abs(gap) >= _CLOSE else ok(said)


def _places(machine: Machine) -> Iterator[tuple[str, str, str]]:
    """Yield the hosts, the addresses and the keys of what the configuration names."""
    asked = ((question.address, question.key) for question in questions(machine))
    for address, key in (*asked, (machine.settings.front_url, "")):
        if host := urlsplit(address).hostname:
            yield host, address, key
