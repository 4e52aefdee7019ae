"""Attaching and detaching the card: look, do the next step, look again, until it is done.

The steps are chosen from what the API says now, never from what was done before: a run that was
killed is finished by the next, and a call whose answer was lost is not made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from albert.deploy.gpu.outscale import Gpu, Machine, Outscale, Passing
from albert.domain.errors import DeploymentError

Goal = Literal["link", "unlink", "unlink-and-stop"]
Step = Literal["link", "unlink", "stop", "start", "wait", "done"]

STILL_SECONDS = 60.0
"""After which a stopped machine whose card is still on its way is started: the card changes
as the machine goes through « stopped », which one that was stopped before did not."""

_CARDS = frozenset({"allocated", "attaching", "attached", "detaching"})
_GONE = frozenset({"shutting-down", "terminated", "quarantine"})
_MACHINES = _GONE | {"pending", "running", "stopping", "stopped"}

_CALLS: dict[Step, Callable[[Outscale], Awaitable[object]]] = {
    "link": lambda api: api.link(),
    "unlink": lambda api: api.unlink(),
    "stop": lambda api: api.stop(),
    "start": lambda api: api.start(),
}
_SAID: dict[Step, str] = {
    "link": "La carte graphique est demandée pour la machine.",
    "unlink": "La carte graphique est retirée de la machine.",
    "stop": "La machine s'arrête, pour que la carte change d'état.",
    "start": "La machine redémarre.",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks, and in all."""

    interval: float = 5.0
    timeout: float = 900.0


def next_step(goal: Goal, gpu: Gpu, machine: Machine, still: float = 0.0) -> Step:
    """Return what to do; ``still`` is for how many seconds nothing has changed.

    Raises:
        DeploymentError: it cannot be done from here.
    """
    _check_known(gpu, machine)
    if machine.state in _GONE:
        raise DeploymentError(
            f"La machine {machine.id} est « {machine.state} » chez Outscale : corrigez OSC_VM_ID."
        )
    if gpu.state != "allocated" and gpu.vm not in ("", machine.id):
        raise DeploymentError(
            f"La carte {gpu.id} est à une autre machine ({gpu.vm}, « {gpu.state} ») : "
            "détachez-la de celle-ci d'abord."
        )
    step = _to_link(gpu, machine) if goal == "link" else _to_unlink(goal, gpu, machine)
    stuck = step == "wait" and machine.state == "stopped" and still >= STILL_SECONDS
    return "start" if stuck else step


def _check_known(gpu: Gpu, machine: Machine) -> None:
    """From a state that is not in the API's guide, nobody knows where a step would lead."""
    for what, state, known in (
        (f"La carte {gpu.id}", gpu.state, _CARDS),
        (f"La machine {machine.id}", machine.state, _MACHINES),
    ):
        if state not in known:
            raise DeploymentError(
                f"{what} est « {state} » chez Outscale, un état inconnu d'ici : rien n'est tenté ; "
                "voyez-la dans la console d'Outscale."
            )


def _to_link(gpu: Gpu, machine: Machine) -> Step:
    if gpu.state == "allocated":
        return "link"
    if gpu.state == "attached":
        return _until(machine, "running")
    return "stop" if machine.state == "running" else "wait"


def _to_unlink(goal: Goal, gpu: Gpu, machine: Machine) -> Step:
    if gpu.state in ("attached", "attaching"):
        return "unlink"
    if gpu.state == "allocated":
        return _until(machine, "stopped" if goal == "unlink-and-stop" else "running")
    return "stop" if machine.state == "running" else "wait"


def _until(machine: Machine, state: Literal["running", "stopped"]) -> Step:
    if machine.state == state:
        return "done"
    other = "stopped" if state == "running" else "running"
    if machine.state != other:
        return "wait"  # it is on its way
    return "start" if state == "running" else "stop"


async def reach(
    goal: Goal,
    api: Outscale,
    say: Callable[[str], None],
    allow: Callable[[Machine], None],
    pace: Pace | None = None,
) -> Gpu:
    """Attach or detach the card, and return it as it is then.

    ``allow`` raises if the machine that was found may not be touched.

    Raises:
        DeploymentError: refused, or not done within ``pace.timeout``; running it again goes on.
    """
    pace, loop = pace or Pace(), asyncio.get_running_loop()
    end, trouble = loop.time() + pace.timeout, ""
    seen: tuple[Gpu, Machine] | None = None
    since = loop.time()
    while loop.time() < end:
        try:
            machine = await api.machine()
            allow(machine)
            now = (await api.gpu(), machine)
            if now != seen:
                seen, since = now, loop.time()
            step = next_step(goal, *now, still=loop.time() - since)
            if step == "done":
                return now[0]
            if step != "wait":
                say(_SAID[step])
                await _CALLS[step](api)
            trouble = ""
        except Passing as passing:
            if str(passing) != trouble:
                say(f"{passing} ; nouvel essai.")
            trouble = str(passing)
        await asyncio.sleep(pace.interval)
    raise DeploymentError(_late(pace.timeout, seen, trouble))


def _late(seconds: float, seen: tuple[Gpu, Machine] | None, trouble: str) -> str:
    if trouble or seen is None:
        return f"Abandon au bout de {seconds:.0f} secondes : {trouble}. Recommencez plus tard."
    gpu, machine = seen
    return (
        f"Au bout de {seconds:.0f} secondes, la carte {gpu.id} est « {gpu.state} » et la machine "
        f"{machine.id} « {machine.state} » : relancez la commande, elle reprend où elle en est."
    )
