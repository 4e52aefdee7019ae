"""The way back: to the release before on demand, to the healthy one when a release fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import chain

from albert.deploy.site import PARTS, Facts, Part
from albert.deploy.sites import Sites
from albert.domain.errors import DeploymentError

_AGAIN = "Réparez-le, puis relancez la même commande : elle reprend où celle-ci s'arrête."


def rollback(sites: Sites, parts: Sequence[Part] = PARTS, to: str | None = None) -> None:
    """Serve again the release that served before, or the one said, on every machine that had it.

    Stopped at any moment, it is finished by the next run.

    Raises:
        DeploymentError: there is none, or it does not answer any more.
        HostUnreachable
    """
    there = sites.of(parts)
    with ExitStack() as stack:
        there.alone(stack, "retour en arrière")
        found = there.look()
        there.check_fronts(parts)
        targets = {part: _earlier(there, part, found, to) for part in parts if there.having(part)}
        for part, target in targets.items():
            _go_back(there, part, target, found)


def give_way(
    sites: Sites, switched: Sequence[tuple[Part, str]], found: Mapping[str, Facts]
) -> list[str]:
    """Go back to the release that was healthy, on each machine that was ``switched``; say of each
    how that went.

    Where the release before was not finished either, all machines of its part go to the same one.
    """
    told = []
    for part in reversed(dict.fromkeys(part for part, _ in switched)):
        hosts = sites.having(part)
        those = [found[host] for host in hosts]
        shared = _shared(part, those) if _unfinished(part, those) else ""
        for host in reversed(hosts):
            facts = found[host]
            good = shared if shared in facts.healthy[part] else facts.good[part]
            if (part, host) in switched or (good and facts.current[part] != good):
                told.append(_give_way(sites, part, host, good))
    return told


def _give_way(sites: Sites, part: Part, host: str, good: str) -> str:
    site = sites.sites[host]
    try:
        if good:
            site.return_to(part, good)
            sites.serve(host, part, good)
            site.approve(part, good)
        site.drop(part, good)
        if not good:
            site.forget(part)
    except DeploymentError as error:
        return f"{host} n'a pas pu revenir à {good or 'son état premier'} : {error} {_AGAIN}"
    if good:
        return f"{host} est revenu à la version {good}."
    return f"Rien ne servait avant sur {host} : ce qui y avait été lancé est arrêté."


def _go_back(sites: Sites, part: Part, target: str, found: Mapping[str, Facts]) -> None:
    hosts = [host for host in sites.having(part) if target in found[host].healthy[part]]
    for host in sites.having(part):
        if host not in hosts:
            kept = found[host].current[part] or "aucune version"
            sites.tell(
                f"{host} n'a jamais servi la version {target} ({part}) : il garde {kept} jusqu'à "
                "la prochaine mise en service."
            )
    for host in hosts:  # before anything changes: the next run then knows where we were going
        sites.sites[host].return_to(part, target)
    served: list[str] = []
    try:
        for host in hosts:
            anew = not found[host].serves(part, target)
            sites.serve(host, part, target, anew=anew)
            served.append(host)
    except DeploymentError as error:
        told = _stopped(part, target, hosts, served, found)
        good = found[hosts[len(served)]].good[part]
        if good != target:
            told += (
                f" Pour en rester à {good} : « albert deploy rollback {sites.plan.environment} "
                f"--only {part} --to {good} »."
            )
        raise DeploymentError(f"{error}\n{told}") from None
    for host in hosts:
        sites.sites[host].approve(part, target)
        sites.sites[host].drop(part, target)
    sites.tell(f"{part} : la version {target} sert de nouveau sur {', '.join(hosts)}.")


def _stopped(
    part: Part, target: str, hosts: Sequence[str], served: Sequence[str], found: Mapping[str, Facts]
) -> str:
    """Return what each machine serves when a return stops half-way."""
    failed, *left = hosts[len(served) :]
    told = [f"{host} sert {target}" for host in served]
    told += [f"{failed} devait y passer et n'y est pas"]
    told += [f"{host} n'a pas changé ({found[host].current[part]})" for host in left]
    return f"Le retour à {target} ({part}) s'est arrêté : {' ; '.join(told)}. {_AGAIN}"


def _earlier(sites: Sites, part: Part, found: Mapping[str, Facts], to: str | None) -> str:
    """Return the release to go back to."""
    hosts = sites.having(part)
    those = [found[host] for host in hosts]
    target = to or _before(part, those)
    if not any(target in facts.healthy[part] for facts in those):
        kept = dict.fromkeys(chain(*(facts.healthy[part] for facts in those)))
        raise DeploymentError(
            f"{part} : pas de version {to or 'antérieure'} qui ait servi sur "
            f"{', '.join(hosts)} (gardées : {', '.join(kept) or 'aucune'})."
        )
    return target


def _before(part: Part, those: Sequence[Facts]) -> str:
    """Return the healthy release before the one in service; empty: there is none.

    Where a release or a return did not come to its end, it is the one that it is to go back to.
    """
    if asked := [facts.back[part] for facts in those if facts.back[part]]:
        return asked[0]
    if _unfinished(part, those):
        return _shared(part, those)
    now = {facts.current[part] for facts in those}
    return next((one for facts in those for one in facts.healthy[part] if one not in now), "")


def _unfinished(part: Part, those: Sequence[Facts]) -> bool:
    return any(facts.good[part] not in ("", facts.current[part]) for facts in those)


def _shared(part: Part, those: Sequence[Facts]) -> str:
    """Return the release that all machines can go back to, if they have one in common."""
    known = [facts for facts in those if facts.good[part]]
    goods = {facts.good[part] for facts in known}
    if len(goods) == 1:
        return goods.pop()
    healthy = [facts.healthy[part] for facts in known]
    return next((one for one in chain(*healthy) if all(one in some for some in healthy)), "")
