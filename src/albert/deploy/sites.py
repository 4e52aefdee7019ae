"""The machines of a plan, all together: who may change them, what they say, how one is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from albert.deploy.activation import Activate, Activation, in_turn
from albert.deploy.bundle import services
from albert.deploy.plan import Plan
from albert.deploy.site import Facts, Part, Site
from albert.domain.errors import DeploymentError

STEP = 1800.0
"""Seconds left to a step that a killed deployment left behind."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sites:
    """The machines of a plan, by name."""

    plan: Plan
    sites: Mapping[str, Site]
    tell: Tell
    activate: Activate = in_turn
    patience: float | None = None  # seconds left to a service; None: its part's own

    def of(self, parts: Sequence[Part]) -> Sites:
        """Return the machines that have one of these parts: the others may be down."""
        wanted = {host for part in parts for host in self.having(part)}
        return replace(self, sites={h: site for h, site in self.sites.items() if h in wanted})

    def having(self, part: Part) -> list[str]:
        return [host for host in self.plan.hosts if services(self.plan, host, part)]

    def alone(self, stack: ExitStack, what: str) -> None:
        """Be the only one who deploys to these machines."""
        for site in self.sites.values():
            stack.enter_context(site.alone(what))

    def look(self) -> dict[str, Facts]:
        """Ask each machine what it is, once nothing goes on there; it can run our services.

        Raises:
            DeploymentError, HostUnreachable
        """
        found = {host: self._settled(site) for host, site in self.sites.items()}
        for host, facts in found.items():
            _fit(host, facts, self.plan.environment)
        return found

    def check_fronts(self, parts: Sequence[Part]) -> None:
        """Refuse a machine whose front cannot be told which workers of the API to ask.

        Raises:
            DeploymentError, HostUnreachable
        """
        for host in self.having("api") if "api" in parts else ():
            self.activate.check(self.sites[host])

    def serve(self, host: str, part: Part, release: str, *, anew: bool = True) -> None:
        """Switch a machine to a release that is there, and start it; ``anew``: even if it runs.

        Raises:
            DeploymentError, HostUnreachable
        """
        site = self.sites[host]
        self.tell(f"{host} : {part} {'passe' if anew else 'est déjà'} à {release}")
        site.switch(part, release)
        if part == "llm":  # a card, or a port, holds one model at a time
            site.drop(part, release)
        ports = site.services(part, release)
        self.activate(site, Activation(part, release, ports, self.patience, anew))

    def _settled(self, site: Site) -> Facts:
        facts = site.facts()
        if facts.step:
            self.tell(
                f"{site.host.name} : l'étape « {facts.step} » d'un déploiement interrompu y est "
                "encore en cours ; attente de sa fin."
            )
            site.wait(STEP)
            facts = site.facts()
        return facts


def _fit(host: str, facts: Facts, environment: str) -> None:
    if facts.environment not in ("", environment):
        raise DeploymentError(
            f"{host} sert déjà l'environnement « {facts.environment} » : choisissez un autre hôte, "
            f"ou videz ~/albert sur celui-ci avant d'y mettre « {environment} »."
        )
    if facts.refused:
        raise DeploymentError(
            f"{host} : Docker Compose n'y répond pas ({facts.refused}). Lancez-y utils/init_vm.sh, "
            "ou dites son programme dans COMPOSE_PROGRAM."
        )
