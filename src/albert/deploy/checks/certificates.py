"""How long certificates still serve: of the addresses of the settings, of certbot's files."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from albert.deploy.checks.apart import apart, resolved, spoken
from albert.deploy.checks.asking import SECONDS, why
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine

SOON = 21
"""Days: certbot renews at thirty, so below that it has failed for a week."""
CERTBOT = Path("/etc/letsencrypt/live")
_DAY = 86_400
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED, of OpenSSL
_RENEW = "« certbot renew » dit pourquoi il n'est pas renouvelé."


async def check_certificates(machine: Machine, live: Path = CERTBOT) -> list[Finding]:
    """``live`` is certbot's folder, with a folder for each certificate."""
    served = [_served(host, port) for host, port in dict.fromkeys(_places(machine))]
    kept = [_kept(path) for path in await apart(lambda: _files(live))]
    found = [one for one in await asyncio.gather(*served, *kept) if one is not None]
    return found or [ok("Aucun certificat : aucune adresse n'est en https.")]


def _places(machine: Machine) -> Iterator[tuple[str, int]]:
    """Yield the hosts and ports in https, of the interface and of the replicas."""
    replicas = (replica.address for model in machine.table for replica in model.replicas)
    for address in (machine.settings.front_url, *replicas):
        parts = urlsplit(address)
        if parts.scheme == "https" and parts.hostname:
            yield parts.hostname, parts.port or 443


async def _served(host: str, port: int) -> Finding | None:
    what = f"Certificat de {host}:{port}"
    try:
        async with asyncio.timeout(SECONDS):
            return _dated(what, await _end(host, port))
    except ssl.SSLCertVerificationError as refused:
        if refused.verify_code == _EXPIRED:
            return error(f"{what} : il a expiré.", _RENEW)
        return error(
            f"{what} : il est refusé ({refused.verify_message}).",
            "Demandez-en un pour ce nom, ou dites son autorité dans SSL_CERT_FILE.",
        )
    except (OSError, ValueError) as failed:  # a TimeoutError is an OSError
        return warning(f"{what} : inconnu, {why(failed)[1]}.")


async def _end(host: str, port: int) -> float:
    """Return when the certificate of a server ends, in seconds since 1970."""
    await resolved(host, port)
    context = ssl.create_default_context()
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        certificate = writer.get_extra_info("peercert")
        return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
    finally:
        writer.close()


def _files(live: Path) -> list[Path]:
    try:
        return sorted(live.glob("*/cert.pem"))
    except OSError:
        return []


async def _kept(path: Path) -> Finding | None:
    """Judge a certificate on the disk; nothing is said where it cannot be read."""
    try:
        said = await spoken(("openssl", "x509", "-noout", "-enddate", "-in", str(path)), SECONDS)
        if said is None or said[0] != 0:
            return None
        end = ssl.cert_time_to_seconds(said[1].partition("=")[2])
    except (TimeoutError, ValueError):
        return None
    return _dated(f"Certificat « {path} »", float(end))


def _dated(what: str, end: float) -> Finding:
    days = int((end - time.time()) // _DAY)
    if days < 0:
        return error(f"{what} : il a expiré.", _RENEW)
    said = f"{what} : encore {days} jour(s)."
    return warning(said, _RENEW) if days < SOON else ok(said)
