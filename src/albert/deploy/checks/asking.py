"""Questions to the addresses of the configuration: short, no redirect followed, each asked once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Literal, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from albert.deploy.checks.apart import resolved
from albert.domain.mishaps import reason

SECONDS = 4.0
_LONGEST = 1 << 20

Silence = Literal["", "name", "refused", "silent", "certificate", "other"]
"""Why there is no answer: an unknown name, nobody, nothing that comes, no trust."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came, or why nothing did. ``ahead``: seconds of their clock before ours."""

    silence: Silence = ""
    why: str = ""
    status: int = 0
    body: bytes = b""
    ahead: float | None = None


class Asking:
    """``async with Asking() as asking: await asking.get(address, key)``."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._asked: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Resolver(), force_close=True),
            timeout=aiohttp.ClientTimeout(total=self._seconds),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        await self._session.close()

    async def get(self, address: str, key: str = "") -> Answer:
        """Ask, or return what was answered before."""
        question = (address, key)
        if question not in self._asked:
            self._asked[question] = asyncio.create_task(self._get(*question))
        return await asyncio.shield(self._asked[question])

    async def _get(self, address: str, key: str) -> Answer:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            async with self._session.get(
                address, headers=headers, allow_redirects=False
            ) as response:
                ahead = _ahead(response.headers.get("date", ""))
                body = await response.content.read(_LONGEST)
                return Answer(status=response.status, body=body, ahead=ahead)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _silence(error, self._seconds)


def why(error: BaseException, seconds: float = SECONDS) -> tuple[Silence, str]:
    """Say in French why a connection could not be made."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "certificate", f"son certificat est refusé : {cause.verify_message}"
    for kind, silence, said in _REASONS:
        if isinstance(cause, kind):
            return silence, said.format(seconds=f"{seconds:g}")
    known = reason(cause) if isinstance(cause, OSError) else type(cause).__name__
    return "other", f"la connexion échoue ({known})"


_REASONS: tuple[tuple[type[BaseException], Silence, str], ...] = (
    (ssl.SSLError, "certificate", "ce n'est pas du TLS qui répond"),
    (socket.gaierror, "name", "son nom n'a pas d'adresse"),
    (ConnectionRefusedError, "refused", "rien n'y écoute"),
    (TimeoutError, "silent", "rien ne répond en {seconds} secondes"),
    (aiohttp.InvalidURL, "name", "ce n'est pas une adresse"),
)


def _silence(error: Exception, seconds: float) -> Answer:
    silence, said = why(error, seconds)
    return Answer(silence=silence, why=said)


def _ahead(date: str) -> float | None:
    """Return how far the date of an answer is before ours, in seconds; they say whole ones."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    if theirs.tzinfo is None:
        return None
    return (theirs - datetime.now(UTC)).total_seconds() + 0.5


class _Resolver(AbstractResolver):
    """Names, asked apart: a name server that hangs holds up nobody's end."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=found,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for found, address in await resolved(host, port)
            if family in (socket.AF_UNSPEC, found)
        ]

    async def close(self) -> None:
        """There is nothing to close."""
