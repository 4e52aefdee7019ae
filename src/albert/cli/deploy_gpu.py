"""``albert deploy gpu``: the graphics card of the staging machine, for the time of a deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import aiohttp
import typer

from albert.cli.console import say
from albert.deploy.environments import environment_of
from albert.deploy.gpu.linking import Goal, Pace, reach
from albert.deploy.gpu.outscale import Machine, Outscale, Passing, place
from albert.deploy.gpu.trial import doubt
from albert.deploy.variables import default
from albert.domain.errors import DeploymentError

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)

Environment = Annotated[str, typer.Argument(metavar="ENV", help="Nom de l'environnement.")]
File = Annotated[
    Path | None,
    typer.Option("--env-file", help="Ses variables ; sinon environments/ENV.env."),
]
Production = Annotated[
    bool,
    typer.Option("--yes-production", help="Arrêter une machine de production, en connaissance."),
]
Timeout = Annotated[float, typer.Option(help="Secondes données à l'opération.", min=1)]
Interval = Annotated[float, typer.Option(help="Secondes entre deux regards.", min=0.01)]


@app.command("link")
def link(
    environment: Environment,
    env_file: File = None,
    production: Production = False,
    timeout: Timeout = 900.0,
    interval: Interval = 5.0,
) -> None:
    """Attache la carte à la machine, qui s'arrête puis redémarre ; déjà fait : sans effet."""
    pace = Pace(interval, timeout)
    _reach("link", environment, env_file, pace, production=production)


@app.command("unlink")
def unlink(
    environment: Environment,
    env_file: File = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="Laisser la machine arrêtée, une fois sans carte.")
    ] = False,
    production: Production = False,
    timeout: Timeout = 900.0,
    interval: Interval = 5.0,
) -> None:
    """Détache la carte de la machine, qui s'arrête puis redémarre ; elle reste au compte."""
    pace = Pace(interval, timeout)
    goal: Goal = "unlink-and-stop" if stop else "unlink"
    _reach(goal, environment, env_file, pace, production=production)


@app.command("status")
def status(environment: Environment, env_file: File = None) -> None:
    """Dit où sont la carte et la machine ; ne change rien."""

    async def look(api: Outscale) -> str:
        gpu, machine = await api.gpu(), await api.machine()
        where = f"à {gpu.vm}" if gpu.vm else "à aucune machine"
        return (
            f"carte {gpu.id} ({gpu.model}) : {gpu.state}, {where}\n"
            f"machine {machine.id} : {machine.state}"
        )

    typer.echo(_with_api(environment, env_file, look))


def _reach(
    goal: Goal, environment: str, env_file: Path | None, pace: Pace, *, production: bool
) -> None:
    def allow(machine: Machine) -> None:
        why = doubt(environment, machine.tags)
        if why and not production:
            raise DeploymentError(
                f"La machine {machine.id} sert peut-être la production ({why}), et changer sa "
                "carte l'arrête : si elle est d'essai, dites-le chez Outscale par l'étiquette "
                "env=staging ; sinon, ajoutez --yes-production si c'est voulu."
            )

    async def act(api: Outscale) -> str:
        gpu = await reach(goal, api, say, allow, pace)
        return f"carte {gpu.id} : {gpu.state}"

    typer.echo(_with_api(environment, env_file, act))


def _with_api(
    environment: str, env_file: Path | None, work: Callable[[Outscale], Awaitable[T]]
) -> T:
    where = place(environment_of(environment, env_file), default("OSC_REGION"))

    async def done() -> T:
        async with aiohttp.ClientSession(trust_env=True) as session:
            try:
                return await work(Outscale(session, where))
            except Passing as passing:
                raise DeploymentError(f"{passing} : réessayez plus tard.") from None

    return asyncio.run(done())
