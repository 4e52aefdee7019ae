"""Services started from a release: in which order, and when each of them is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from albert.deploy.rolling import Front, roll
from albert.deploy.site import Part, Site
from albert.domain.errors import DeploymentError

PATIENCE: Mapping[Part, float] = {"llm": 1800.0, "api": 300.0}
"""Seconds left to a service to answer: a large model reads its weights for minutes."""


@dataclass(frozen=True, slots=True)
class Activation:
    """What starts on a machine: services of one part of a release, with their ports."""

    part: Part
    release: str
    services: Mapping[str, int]
    patience: float | None = None  # seconds; None: the part's own
    anew: bool = True  # not if this very release serves already


Activate = Callable[[Site, Activation], None]
"""Start the services on the machine and return once each is healthy, or raise DeploymentError."""


def in_turn(site: Site, wanted: Activation) -> None:
    """Start each service once the one before is healthy: of two sets of workers, one serves.

    One that is ill comes first: the others serve meanwhile.

    Raises:
        DeploymentError: with the service that does not answer; those after it were left alone.
        HostUnreachable
    """
    patience = PATIENCE[wanted.part] if wanted.patience is None else wanted.patience
    anew = ("--force-recreate",) if wanted.anew else ()
    for name in sorted(
        wanted.services, key=lambda name: site.healthy(wanted.release, name, 0) is None
    ):
        site.compose(wanted.release, "up", "--detach", "--no-deps", *anew, name)
        told = site.healthy(wanted.release, name, patience)
        if told is not None:
            raise DeploymentError(
                f"{site.host.name} : « {name} » ne va pas bien après {patience:.0f} s "
                f"({told or 'sa sonde échoue sans rien dire'}). Derniers mots de son journal :\n"
                + site.last_words(wanted.release, name)
            )


def behind_nginx(
    file: str, reload: str, say: Callable[[str], None], settle: float = 2.0
) -> Activate:
    """Return ``in_turn`` for machines whose nginx asks the API's sets of workers.

    While a set restarts, ``file`` of the machine names the others only; see ``rolling.Front``.
    """

    def activate(site: Site, wanted: Activation) -> None:
        if wanted.part != "api" or not wanted.anew:
            in_turn(site, wanted)
            return
        workers = {name: f"127.0.0.1:{port}" for name, port in wanted.services.items()}

        def restart(name: str) -> None:
            in_turn(site, replace(wanted, services={name: wanted.services[name]}))

        front = Front(site.host, file, reload, settle)
        roll([front], workers, restart, lambda told: say(f"{site.host.name} : {told}"))

    return activate
