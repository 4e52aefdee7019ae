"""Services started from a release: in which order, and when each of them is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from albert.deploy.rolling import Front, roll, upstream
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


class Activate(Protocol):
    """How services start on a machine."""

    def check(self, site: Site) -> None:
        """Refuse a machine of the API where they could not, before anything changes.

        Raises:
            DeploymentError: with what to do.
            HostUnreachable
        """
        ...

    def __call__(self, site: Site, wanted: Activation) -> None:
        """Start the services and return once each is healthy.

        Raises:
            DeploymentError: with the service that does not answer; those after it were left alone.
            HostUnreachable
        """
        ...


class InTurn:
    """Each service starts once the one before is healthy: of two sets of workers, one serves.

    One that is ill comes first: the others serve meanwhile.
    """

    def check(self, site: Site) -> None:
        """Any machine will do."""

    def __call__(self, site: Site, wanted: Activation) -> None:
        patience = PATIENCE[wanted.part] if wanted.patience is None else wanted.patience
        anew = ("--force-recreate",) if wanted.anew else ()
        for name in sorted(wanted.services, key=lambda name: _well(site, wanted, name)):
            site.compose(wanted.release, "up", "--detach", "--no-deps", *anew, name)
            told = site.healthy(wanted.release, name, patience)
            if told is not None:
                raise DeploymentError(
                    f"{site.host.name} : « {name} » ne va pas bien après {patience:.0f} s "
                    f"({told or 'sa sonde échoue sans rien dire'}). Derniers mots de son "
                    f"journal :\n{site.last_words(wanted.release, name)}"
                )


in_turn = InTurn()


@dataclass(frozen=True, slots=True)
class BehindNginx:
    """``in_turn`` for machines whose nginx asks the API's sets of workers.

    While a set restarts, ``file`` of the machine names the others only; see ``rolling.Front``.
    """

    file: str
    reload: str
    say: Callable[[str], None]
    settle: float = 2.0

    def check(self, site: Site) -> None:
        try:
            self._front(site).check()
        except DeploymentError as error:
            raise DeploymentError(f"{site.host.name} : {error}") from None

    def __call__(self, site: Site, wanted: Activation) -> None:
        front = self._front(site)
        workers = {name: f"127.0.0.1:{port}" for name, port in wanted.services.items()}
        if wanted.part != "api":
            in_turn(site, wanted)
        elif wanted.anew:
            roll(
                front,
                workers,
                lambda name: in_turn(site, replace(wanted, services={name: wanted.services[name]})),
                lambda name: _well(site, wanted, name),
                lambda told: self.say(f"{site.host.name} : {told}"),
            )
        else:
            in_turn(site, wanted)
            everybody = list(workers.values())
            if front.said() != upstream(everybody):  # a deployment was killed in the middle
                front.show(everybody)

    def _front(self, site: Site) -> Front:
        return Front(site.host, self.file, self.reload, self.settle)


def _well(site: Site, wanted: Activation, name: str) -> bool:
    return site.healthy(wanted.release, name, 0) is None
