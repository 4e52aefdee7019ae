"""The SMTP server of the settings: whether it is there, and greets."""

from __future__ import annotations

import asyncio
import ssl

from albert.deploy.checks.apart import resolved
from albert.deploy.checks.asking import SECONDS, why
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine


async def check_mail(machine: Machine) -> list[Finding]:
    settings = machine.settings
    if not machine.kinds("api"):
        return []
    if not settings.smtp_host:
        if settings.mj_api_key.get_secret_value():
            return []  # Mailjet is among what is reached
        said = f"Aucun envoi de courriel : ils seront écrits dans « {machine.home.mail} »."
        return [warning(said, "Donnez SMTP_HOST, ou MJ_API_KEY et MJ_API_SECRET.")]
    place = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        async with asyncio.timeout(SECONDS):
            greeting = await _greeting(
                settings.smtp_host, settings.smtp_port, tls=settings.smtp_tls == "tls"
            )
    except (OSError, EOFError, ValueError) as failed:  # a TimeoutError is an OSError
        return [
            error(
                f"Le serveur de courriels ({place}) : {why(failed)[1]}.",
                "Corrigez SMTP_HOST, SMTP_PORT et SMTP_TLS, ou ouvrez ce port.",
            )
        ]
    if not greeting.startswith(b"220"):
        said = f"Ce qui répond à {place} n'est pas un serveur SMTP en clair."
        return [error(said, "Corrigez SMTP_PORT et SMTP_TLS : 587 et starttls, ou 465 et tls.")]
    return [ok(f"Le serveur de courriels ({place}) : répond.")]


async def _greeting(host: str, port: int, *, tls: bool) -> bytes:
    await resolved(host, port)  # told apart from a server that hangs
    context = ssl.create_default_context() if tls else None
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=4096)
    try:
        return await reader.readline()
    finally:
        writer.close()
