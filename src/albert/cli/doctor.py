"""``albert doctor``: whether this machine has what the environment wants of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from albert.api.database.connecting import connect
from albert.api.secrets import in_development, weak_secrets
from albert.bootstrap.table import table_of
from albert.cli.console import show
from albert.cli.exposure import check_exposure
from albert.cli.main import read_env_file
from albert.cli.standing_alone import check_standing_alone
from albert.cli.systemd_checks import check_password
from albert.cli.worker import first_admin
from albert.deploy.checks.asking import Asking
from albert.deploy.checks.certificates import check_certificates
from albert.deploy.checks.clock import check_clock
from albert.deploy.checks.database import check_database
from albert.deploy.checks.disk import check_disk
from albert.deploy.checks.engines import check_engines
from albert.deploy.checks.env_file import check_env_file
from albert.deploy.checks.finding import Finding, Level, error, ok, warning
from albert.deploy.checks.gpu import check_gpu
from albert.deploy.checks.machine import Machine, services_here
from albert.deploy.checks.mail import check_mail
from albert.deploy.checks.permissions import check_permissions
from albert.deploy.checks.ports import check_ports
from albert.deploy.checks.reach import check_reach
from albert.deploy.checks.software import check_software
from albert.deploy.doctor import Check, Seen, examine
from albert.deploy.plan import LOCAL, Plan, Service, keys_of, plan
from albert.deploy.validity import wrong_values
from albert.domain.errors import AlbertError
from albert.routing.table import RoutingTable
from albert.settings import Settings, environment, load

CHECKS = (
    Check("Ports", check_ports),
    Check("Disque", check_disk),
    Check("Heure", check_clock),
    Check("Moteurs", check_engines),
    Check("Carte graphique", check_gpu),
    Check("Adresses", check_reach),
    Check("Base de données", partial(check_database, connect=connect)),
    Check("Courriels", check_mail),
    Check("Certificats", check_certificates),
    Check("Droits", check_permissions),
)


class Role(StrEnum):
    """A kind of service, as an option says it."""

    api = "api"
    llm = "llm"
    embeddings = "embeddings"


_MARKS: dict[Level, str] = {"ok": "ok", "warning": "attention", "error": "ERREUR"}


def doctor(
    context: typer.Context,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file", metavar="FICHIER", help="Le fichier de variables de l'environnement."
        ),
    ] = None,
    host_role: Annotated[
        list[Role] | None,
        typer.Option(
            "--host-role", help="Ce que cette machine sert, parmi ce que le plan y met ; répétable."
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", help="Son nom dans le plan, s'il n'est pas reconnu."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Dit si cette machine a ce que l'environnement attend d'elle, et quoi faire sinon.

    Ne change rien. Sort avec 1 s'il y a une erreur, 0 s'il n'y a que des avertissements.
    """
    if env_file is not None:
        read_env_file(env_file)
    seen = asyncio.run(
        _examined(env_file or context.obj, [role.value for role in host_role or []], host)
    )
    if as_json:
        show(orjson.dumps([_object(one) for one in seen], option=orjson.OPT_INDENT_2).decode())
    else:
        _tell(seen)
    if any(one.finding.level == "error" for one in seen):
        raise typer.Exit(1)


async def _examined(file: Path | None, roles: list[str], host: str) -> list[Seen]:
    seen = _about("Versions", check_software())
    try:
        settings = load()
    except AlbertError as wrong:
        return [*seen, *_about("Réglages", [error(str(wrong))]), *_of_file(file, RoutingTable({}))]
    table, wrong_table = _table(settings)
    planned, wrong_plan = _plan(settings, table)
    services = await services_here(planned, host=host, roles=roles)
    told = [*wrong_table, *wrong_plan, *_settings(settings, planned, services, roles)]
    seen += _about("Réglages", told or [ok(f"Les réglages de « {settings.env} » sont valables.")])
    seen += _of_file(file, table)
    async with Asking() as asking:
        machine = Machine(
            settings=settings,
            values=environment(),
            table=table,
            plan=planned,
            services=services,
            asking=asking,
        )
        return seen + await examine(machine, CHECKS)


def _table(settings: Settings) -> tuple[RoutingTable, list[Finding]]:
    try:
        return table_of(settings), []
    except AlbertError as wrong:
        return RoutingTable({}), [error(str(wrong))]


def _plan(settings: Settings, table: RoutingTable) -> tuple[Plan, list[Finding]]:
    try:
        return plan(settings.env, environment(), table), []
    except AlbertError as wrong:
        return Plan(settings.env, ()), [error(str(wrong))]


def _settings(
    settings: Settings, planned: Plan, services: tuple[Service, ...], roles: list[str]
) -> Iterator[Finding]:
    """Yield what the settings lack for the services of this machine."""
    if planned.services and not services:
        hosts = ", ".join(planned.hosts)
        kinds = f" ({', '.join(roles)})" if roles else ""
        yield error(
            f"Le plan ne met rien{kinds} sur cette machine : il a {hosts}.",
            "Dites son nom par --host, ou corrigez la table de routage et API_HOSTS.",
        )
    serving = any(service.kind == "api" for service in services)
    yield from (error(said) for said in wrong_values(environment(), settings, here=serving))
    if serving:
        yield from _of_api(settings)
    keys = {"llm": settings.llm_api_key, "embeddings": settings.embeddings_api_key}
    for kind, key in keys.items():
        host = next((s.host for s in services if s.kind == kind and s.host != LOCAL), "127.0.0.1")
        try:
            check_exposure(host, key.get_secret_value(), f"{kind.upper()}_API_KEY")
        except AlbertError as wrong:
            yield error(str(wrong))


def _of_api(settings: Settings) -> Iterator[Finding]:
    """Yield what keeps the API from starting, or from being entered."""
    yield from (error(sentence) for sentence in weak_secrets(settings))
    if not in_development(settings) and not settings.first_admin_password:
        yield warning(
            "FIRST_ADMIN_PASSWORD est vide : le premier administrateur n'entrera que par sa clé.",
            "Donnez 12 caractères tirés au sort, par exemple « openssl rand -base64 18 ».",
        )
    try:
        check_password(settings)
    except AlbertError as lacking:
        yield (warning if in_development(settings) else error)(str(lacking))
    try:
        first_admin(settings)
    except AlbertError as wrong:
        yield error(str(wrong))
    try:
        check_standing_alone(settings)
    except AlbertError as wrong:
        yield warning(str(wrong), "Sans objet si « albert up » sert seul.")


def _of_file(file: Path | None, table: RoutingTable) -> list[Seen]:
    if file is None:
        return []
    return _about("Fichier", check_env_file(file, keys_of(table)))


def _about(title: str, findings: Iterable[Finding]) -> list[Seen]:
    return [Seen(title, finding) for finding in findings]


def _tell(seen: list[Seen]) -> None:
    wide = max(len(one.title) for one in seen)
    for one in seen:
        found = one.finding
        show(f"{_MARKS[found.level]:<9}  {one.title:<{wide}}  {found.said}")
        if found.remedy:
            show(f"{'':<9}  {'':<{wide}}  → {found.remedy}")
    count = Counter(one.finding.level for one in seen)
    errors, warnings = count["error"], count["warning"]
    show(f"{errors} erreur(s), {warnings} avertissement(s), {count['ok']} en ordre.")


def _object(one: Seen) -> dict[str, str]:
    found = one.finding
    return {
        "check": one.title,
        "level": found.level,
        "said": found.said,
        "remedy": found.remedy,
    }
