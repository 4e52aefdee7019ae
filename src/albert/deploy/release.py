"""A version goes to every machine, is tried there, and gives way to the one before if it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from albert.deploy.activation import Activate, Activation, in_turn
from albert.deploy.bundle import Bundle, services
from albert.deploy.plan import Plan
from albert.deploy.site import PARTS, Facts, Part, Site
from albert.domain.errors import DeploymentError

KEPT = 5
"""Releases that a machine keeps, beside those that serve."""
FREE = 5 * 1024**2
"""KiB that a machine must have free: an image and its layers, unpacked."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sites:
    """The machines of a plan, by name."""

    plan: Plan
    sites: Mapping[str, Site]
    tell: Tell
    activate: Activate = in_turn
    patience: float | None = None  # seconds left to a service; None: its part's own

    def alone(self, stack: ExitStack, what: str) -> None:
        for site in self.sites.values():
            stack.enter_context(site.alone(what))

    def having(self, part: Part) -> list[str]:
        return [host for host in self.plan.hosts if services(self.plan, host, part)]


def release(sites: Sites, bundle: Bundle, parts: Sequence[Part] = PARTS) -> None:
    """Release a bundle: everything is looked at and brought before anything changes.

    Killed at any moment, it is finished by the next run.

    Raises:
        DeploymentError: a machine is unfit, or busy; or the release was not healthy, and the one
            before serves again on every machine.
        HostUnreachable
    """
    with ExitStack() as stack:
        sites.alone(stack, bundle.release)
        found = stage(sites, bundle, parts)
        _put_in_service(sites, bundle, parts, found)
        for site in sites.sites.values():
            site.prune(KEPT)
    sites.tell(f"La version {bundle.release} sert sur {', '.join(sites.sites)}.")


def stage(sites: Sites, bundle: Bundle, parts: Sequence[Part]) -> dict[str, Facts]:
    """Look at every machine, then bring the bundle and its images; nothing that runs changes.

    Raises:
        DeploymentError, HostUnreachable
    """
    found = {host: site.facts() for host, site in sites.sites.items()}
    for host, facts in found.items():
        _fit(host, facts, bundle, parts)
    _check_fronts(sites, parts)
    for host, site in sites.sites.items():
        sites.tell(f"{host} : envoi de {bundle.release}")
        with bundle.of(host) as folder:
            site.receive(folder, bundle.plan.environment, bundle.release, found[host].home)
        site.pull(bundle.images(host, tuple(parts)))
    return found


def rollback(sites: Sites, parts: Sequence[Part] = PARTS, to: str | None = None) -> None:
    """Serve again the release that served before, or the one said, on every machine.

    Raises:
        DeploymentError: there is none, or it does not answer any more.
        HostUnreachable
    """
    with ExitStack() as stack:
        sites.alone(stack, "retour en arrière")
        found = {host: site.facts() for host, site in sites.sites.items()}
        _check_fronts(sites, parts)
        chosen = {part: _earlier(sites, part, found, to) for part in parts if sites.having(part)}
        for part, target in chosen.items():
            for host in sites.having(part):
                before = found[host].current[part]
                _serve(sites, host, part, target, before)
                _drop(sites.sites[host], part, before, target)
            for host in sites.having(part):
                sites.sites[host].approve(part, target)
            sites.tell(f"{part} : la version {target} sert de nouveau.")


def ill(sites: Sites, part: Part) -> dict[str, str]:
    """Return the services in place that are not well, by machine and name, with what they say.

    Raises:
        DeploymentError: nothing serves on a machine.
        HostUnreachable
    """
    found: dict[str, str] = {}
    for host in sites.having(part):
        site = sites.sites[host]
        facts = site.facts()
        if not facts.current[part]:
            raise DeploymentError(
                f"{host} : rien n'y est en service ({part}) ; lancez « albert deploy release "
                f"{sites.plan.environment} --only {part} »."
            )
        for name in facts.services[part]:
            told = site.healthy(facts.current[part], name, 0)
            sites.tell(f"{host} : {name} {'ne va pas bien' if told is not None else 'va bien'}")
            if told is not None:
                found[f"{host} {name}"] = told
    return found


def _fit(host: str, facts: Facts, bundle: Bundle, parts: Sequence[Part]) -> None:
    """Refuse a machine on which the release could not serve."""
    if facts.environment not in ("", bundle.plan.environment):
        raise DeploymentError(
            f"{host} sert déjà l'environnement « {facts.environment} » : choisissez un autre hôte, "
            f"ou videz ~/albert sur celui-ci avant d'y mettre « {bundle.plan.environment} »."
        )
    if facts.refused:
        raise DeploymentError(
            f"{host} : Docker Compose n'y répond pas ({facts.refused}). Lancez-y utils/init_vm.sh, "
            "ou dites son programme dans COMPOSE_PROGRAM."
        )
    if facts.free < FREE:
        raise DeploymentError(
            f"{host} : il ne reste que {facts.free / 1024**2:.1f} Gio de disque, il en faut "
            f"{FREE // 1024**2} : « docker image prune --all » retire les images inutiles."
        )
    ours = {port for ports in facts.services.values() for port in ports.values()}
    for part in parts:
        for name, port in services(bundle.plan, host, part).items():
            if port in facts.listening - ours:
                raise DeploymentError(
                    f"{host} : le port {port}, que veut « {name} », est pris par un autre "
                    f"programme (« ss -ltnp sport = :{port} » dit lequel)."
                )


def _check_fronts(sites: Sites, parts: Sequence[Part]) -> None:
    for host in sites.having("api") if "api" in parts else ():
        sites.activate.check(sites.sites[host])


def _put_in_service(
    sites: Sites, bundle: Bundle, parts: Sequence[Part], found: Mapping[str, Facts]
) -> None:
    switched: list[tuple[Part, str]] = []
    try:
        for part in parts:
            for host in sites.having(part):
                switched.append((part, host))
                before = found[host].current[part]
                serves = before == found[host].good[part] == bundle.release
                _serve(sites, host, part, bundle.release, before, anew=not serves)
    except DeploymentError as error:
        told = [_give_way(sites, one, bundle, found[one[1]]) for one in reversed(switched)]
        raise DeploymentError("\n".join([str(error), *told])) from None
    for part, host in switched:
        sites.sites[host].approve(part, bundle.release)
        _drop(sites.sites[host], part, found[host].current[part], bundle.release)


def _serve(
    sites: Sites, host: str, part: Part, release: str, before: str, *, anew: bool = True
) -> None:
    """Switch a machine to a release that is there, and start it in the place of ``before``."""
    site = sites.sites[host]
    sites.tell(f"{host} : {part} passe à {release}")
    site.switch(part, release)
    if part == "llm":  # a card, or a port, holds one model at a time
        _drop(site, part, before, release)
    ports = site.services(part, release)
    sites.activate(site, Activation(part, release, ports, sites.patience, anew))


def _give_way(sites: Sites, switched: tuple[Part, str], bundle: Bundle, facts: Facts) -> str:
    """Go back to the release that was healthy, and say how that went."""
    part, host = switched
    site, good = sites.sites[host], facts.good[part]
    try:
        if good:
            _serve(sites, host, part, good, bundle.release)
            _drop(site, part, bundle.release, good)
            return f"{host} est revenu à la version {good}."
        names = services(bundle.plan, host, part)
        site.compose(bundle.release, "stop", *names)
        site.forget(part)
    except DeploymentError as error:
        return (
            f"{host} n'a pas pu revenir à {good or 'son état premier'} : {error} "
            "Réparez-le, puis relancez la même commande : elle reprend où celle-ci s'arrête."
        )
    return f"Rien ne servait avant sur {host} : ce qui y avait été lancé est arrêté."


def _drop(site: Site, part: Part, before: str, now: str) -> None:
    """Stop the services of the release before that are none of the one that serves now.

    Not « down »: Compose takes away with a service all those that wait for it.
    """
    if before in ("", now):
        return
    kept = site.services(part, now)
    gone = [name for name in site.services(part, before) if name not in kept]
    if gone:
        site.compose(before, "stop", *gone)


def _earlier(sites: Sites, part: Part, found: Mapping[str, Facts], to: str | None) -> str:
    """Return the release to go back to, which every machine must have."""
    hosts = sites.having(part)
    there = {host: sites.sites[host].releases(part) for host in hosts}
    first = hosts[0]
    others = [one for one in there[first] if one != found[first].current[part]]
    target = to or next(iter(others), None)
    lacking = [host for host in hosts if target not in there[host]]
    if target is None or lacking:
        kept = ", ".join(there[first]) or "aucune"
        raise DeploymentError(
            f"{part} : pas de version {to or 'antérieure'} qui ait servi sur "
            f"{', '.join(lacking) or first} (gardées : {kept})."
        )
    return target
