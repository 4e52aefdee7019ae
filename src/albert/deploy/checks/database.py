"""The database of the settings: whether it lets us in, is recent enough, and takes our tables."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import asyncpg

from albert.deploy.checks.apart import resolved
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine
from albert.domain.errors import DatabaseError
from albert.settings import Settings

OLDEST = 15
_SECONDS = 8.0
_MAY = "SELECT has_schema_privilege(current_schema(), 'CREATE')"

Connect = Callable[[str], Awaitable["asyncpg.Connection[asyncpg.Record]"]]
"""Raises ``DatabaseError``, in a sentence that names the setting to mend."""


async def check_database(machine: Machine, connect: Connect) -> list[Finding]:
    workers = machine.kinds("api")
    if not workers:
        return []
    address = machine.settings.database_address
    if not address:
        hosts = {service.host for service in machine.plan.services if service.kind == "api"}
        if len(hosts) > 1:
            return [
                error(
                    f"L'API est sur {len(hosts)} machines, et la base embarquée n'est que sur une.",
                    "Donnez POSTGRES_HOST : la même base pour toutes.",
                )
            ]
        return [ok("Albert lance sa propre base, dans son dossier de données.")]
    try:
        async with asyncio.timeout(_SECONDS):
            await _look_up(machine.settings)
            connection = await connect(address)
            try:
                return [await _judge(connection)]
            finally:
                connection.terminate()  # a server that hangs is not waited for
    except DatabaseError as refused:
        return [error(str(refused))]
    except TimeoutError:
        return [
            error(
                f"La base ne répond pas en {_SECONDS:g} secondes.",
                "Vérifiez POSTGRES_HOST, le DNS, et le journal de PostgreSQL.",
            )
        ]


async def _look_up(settings: Settings) -> None:
    """Have the name looked up apart: the driver's own thread would be waited for at the end."""
    given = settings.postgres_uri.get_secret_value()
    with contextlib.suppress(OSError, ValueError):  # who connects says it better
        host = (urlsplit(given).hostname or "") if given else settings.postgres_host
        if host and not host.startswith("/"):
            await resolved(host, settings.postgres_port)


async def _judge(connection: asyncpg.Connection[asyncpg.Record]) -> Finding:
    version = connection.get_server_version()  # 18.6 is told as major 18, micro 6
    said = f"PostgreSQL {version.major}.{version.micro} répond"
    if version.major < OLDEST:
        return error(f"{said}, et Albert demande PostgreSQL {OLDEST} ou plus récent.", _UPGRADE)
    try:
        may = await connection.fetchval(_MAY)
    except asyncpg.PostgresError as refused:
        return warning(f"{said}, mais refuse de dire ce que ce compte y peut ({refused.sqlstate}).")
    if not may:
        return error(
            f"{said}, mais ce compte ne peut pas y créer de tables.",
            "« GRANT CREATE ON SCHEMA public TO le_compte », ou faites-en le propriétaire.",
        )
    return ok(f"{said}, et ce compte peut y créer ses tables.")


_UPGRADE = "Installez une version plus récente, puis transportez-y les données par pg_dumpall."
