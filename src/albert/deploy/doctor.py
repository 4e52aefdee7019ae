"""The examination of a machine: every check at once, none of which holds up the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from albert.deploy.checks.access import closed, unseen
from albert.deploy.checks.finding import Finding, error
from albert.deploy.checks.machine import Machine
from albert.domain.errors import AlbertError
from albert.domain.mishaps import reason

SECONDS = 10.0
"""For each check; they run together."""

_ADDRESSES = "Corrigez FRONT_URL, POSTGRES_URI, ou les adresses de la table de routage."

Run = Callable[[Machine], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """A matter to look into; ``title`` is French."""

    title: str
    run: Run


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding, and the matter that it is of."""

    title: str
    finding: Finding


async def examine(
    machine: Machine, checks: Iterable[Check], seconds: float = SECONDS
) -> list[Seen]:
    """Run the checks and return what they found, in their order, nothing wrong said twice."""
    done = await asyncio.gather(*(_run(check, machine, seconds) for check in checks))
    found: dict[Finding, Seen] = {}
    for seen in (seen for each in done for seen in each):
        found.setdefault(seen.finding, seen)
    return list(found.values())


async def _run(check: Check, machine: Machine, seconds: float) -> list[Seen]:
    try:
        async with asyncio.timeout(seconds):
            found = await check.run(machine)
    except TimeoutError:
        found = [error(f"Ce contrôle n'a pas fini en {seconds:g} secondes.")]
    except AlbertError as told:
        found = [error(str(told))]
    except PermissionError as refused:
        place = Path(refused.filename or machine.home.root)
        found = [closed(unseen(place) or place)]
    except OSError as failed:
        found = [error(f"Ce contrôle n'a pas pu se faire ({reason(failed)}).")]
    except ValueError:  # what urlsplit says may quote a password
        found = [error("Une adresse des réglages est mal formée.", _ADDRESSES)]
    return [Seen(check.title, finding) for finding in found]
