"""A version goes to every machine, is tried there, and gives way to the one before if it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from albert.deploy.bundle import Bundle, services
from albert.deploy.rollback import give_way
from albert.deploy.site import PARTS, Facts, Part
from albert.deploy.sites import Sites
from albert.domain.errors import DeploymentError

KEPT = 5
"""Releases that a machine keeps of each part, and as many that never served."""
FREE = 5 * 1024**2
"""KiB that a machine must have free: an image and its layers, unpacked."""


def release(sites: Sites, bundle: Bundle, parts: Sequence[Part] = PARTS) -> None:
    """Release a bundle: everything is looked at and brought before anything changes.

    Killed at any moment, it is finished by the next run.

    Raises:
        DeploymentError: a machine is unfit, or busy; or the release was not healthy, and the one
            before serves again on every machine.
        HostUnreachable
    """
    there = sites.of(parts)
    with ExitStack() as stack:
        there.alone(stack, bundle.release)
        found = stage(there, bundle, parts)
        _put_in_service(there, bundle, parts, found)
        for site in there.sites.values():
            site.prune(KEPT)
        for part in parts:
            _leave(sites, part, locked=there.sites)
    sites.tell(_done(there, bundle, parts, found))


def stage(sites: Sites, bundle: Bundle, parts: Sequence[Part]) -> dict[str, Facts]:
    """Look at every machine, then bring the bundle and its images; nothing that runs changes.

    Raises:
        DeploymentError, HostUnreachable
    """
    found = sites.look()
    for host, facts in found.items():
        _fit(host, facts, bundle, parts)
    sites.check_fronts(parts)
    for host, site in sites.sites.items():
        sites.tell(f"{host} : envoi de {bundle.release}")
        with bundle.of(host) as folder:
            site.receive(folder, bundle.plan.environment, bundle.release, found[host].home)
        site.pull(bundle.images(host, tuple(parts)))
    return found


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
    if facts.free < FREE:
        raise DeploymentError(
            f"{host} : il ne reste que {facts.free / 1024**2:.1f} Gio de disque, il en faut "
            f"{FREE // 1024**2} : « docker image prune --all » retire les images inutiles."
        )
    for part in parts:
        for name, port in services(bundle.plan, host, part).items():
            if port in facts.listening - facts.ours:
                raise DeploymentError(
                    f"{host} : le port {port}, que veut « {name} », est pris par un autre "
                    f"programme (« ss -ltnp sport = :{port} » dit lequel)."
                )


def _put_in_service(
    sites: Sites, bundle: Bundle, parts: Sequence[Part], found: Mapping[str, Facts]
) -> None:
    switched: list[tuple[Part, str]] = []
    try:
        for part in parts:
            for host in sites.having(part):
                switched.append((part, host))
                anew = not found[host].serves(part, bundle.release)
                sites.serve(host, part, bundle.release, anew=anew)
    except DeploymentError as error:
        told = give_way(sites, switched, found)
        raise DeploymentError("\n".join([str(error), *told])) from None
    for part, host in switched:
        sites.sites[host].approve(part, bundle.release)
        sites.sites[host].drop(part, bundle.release)


def _leave(sites: Sites, part: Part, locked: Mapping[str, object]) -> None:
    """Stop a part where the plan has it no more: a model that moved to another machine."""
    for host in [host for host in sites.sites if host not in sites.having(part)]:
        site = sites.sites[host]
        try:
            facts = site.facts()
            if facts.environment != sites.plan.environment or not facts.current[part]:
                continue
            with ExitStack() as stack:
                if host not in locked:
                    stack.enter_context(site.alone(f"arrêt de {part}"))
                site.drop(part)
                site.forget(part)
            sites.tell(f"{host} n'a plus de service {part} : ceux d'avant sont arrêtés.")
        except DeploymentError as error:
            sites.tell(f"{error} Si {host} a servi {part}, ses services y tournent peut-être.")


def _done(sites: Sites, bundle: Bundle, parts: Sequence[Part], found: Mapping[str, Facts]) -> str:
    hosts = ", ".join(sites.sites)
    if not hosts:
        return f"L'environnement n'a aucun service {' ni '.join(parts)} : rien n'a été lancé."
    places = [(part, host) for part in parts for host in sites.having(part)]
    if all(found[host].serves(part, bundle.release) for part, host in places):
        return (
            f"La version {bundle.release} servait déjà sur {hosts}. Une image refaite sous la même "
            "étiquette n'y est pas rapportée : donnez-lui une autre --version."
        )
    return f"La version {bundle.release} sert sur {hosts}."
