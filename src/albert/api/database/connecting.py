"""One connection to PostgreSQL, and in a sentence why there is none."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

import asyncpg

from albert.domain.errors import DatabaseError, DatabaseUnavailable

_CONNECT_SECONDS = 5.0
_UNHURRIED = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
"""A server may bound what a service does; a backup takes the time that it takes."""

_SECRET = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a ``postgresql://`` address; ``bare`` is the whole without its passwords."""

    bare: str
    password: str
    host: str
    user: str
    name: str

    @classmethod
    def of(cls, uri: str) -> Address:
        """Take an address apart.

        Raises:
            DatabaseError: it is none, or its password is not encoded; nothing of it is shown.
        """
        try:
            parts = urlsplit(uri)
        except ValueError:
            raise DatabaseError("POSTGRES_URI n'est pas une adresse : corrigez-la.") from None
        said = dict(parse_qsl(parts.query))
        if _is_cut(parts):
            raise DatabaseError(
                "POSTGRES_URI ne se lit pas : encodez les / # ? @ de son mot de passe (%2F %23 "
                "%3F %40)."
            )
        if parts.scheme not in ("postgresql", "postgres"):
            raise DatabaseError(
                "POSTGRES_URI n'est pas l'adresse d'une base PostgreSQL : écrivez "
                "« postgresql://compte:motdepasse@hote:5432/base »."
            )
        who, _, hosts = parts.netloc.rpartition("@")
        if not all(map(_is_port, (*_ports(hosts), *said.get("port", "").split(",")))):
            raise DatabaseError(
                "POSTGRES_URI : son port n'est pas un nombre de 1 à 65535, corrigez-le."
            )
        user, _, password = who.partition(":")
        kept = {name: value for name, value in said.items() if name not in _SECRET}
        port = f":{said['port']}" if said.get("host", "/")[:1] != "/" and "port" in said else ""
        bare = parts._replace(
            netloc=f"{user}@{hosts}" if user else hosts, query=urlencode(kept, quote_via=quote)
        )
        return cls(
            bare=bare.geturl(),
            password=said.get("password") or unquote(password),
            host=hosts or said.get("host", "localhost") + port,
            user=unquote(user) or said.get("user", ""),
            name=unquote(parts.path.strip("/")),
        )


def _ports(hosts: str) -> list[str]:
    """Return the ports of hosts between commas, of which an IPv6 address is in brackets."""
    return [re.sub(r"^\[.*\]", "", host).partition(":")[2] for host in hosts.split(",")]


def _is_port(said: str) -> bool:
    """Whether it is one, or nothing: PostgreSQL's own then."""
    return not said or (said.isascii() and said.isdecimal() and 0 < int(said) < 65536)


def _is_cut(parts: SplitResult) -> bool:
    """Whether a mark in a password ended it: what follows, up to its ``@``, is elsewhere then."""
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    rest = [part for pair in pairs if pair[0] not in ("user", *_SECRET) for part in pair]
    return bool(parts.fragment) or any("@" in part for part in (parts.path, *rest))


@asynccontextmanager
async def connected(uri: str) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection for work that nobody waits for: none of it is bounded in time.

    Raises:
        DatabaseUnavailable: there is no answer; the message says from where.
        DatabaseError: it does not let us in; the message says which setting to mend.
    """
    connection = await connect(uri)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def connect(uri: str) -> asyncpg.Connection:
    """Open one connection, whose work is not bounded in time.

    Raises:
        DatabaseUnavailable, DatabaseError: as ``connected``.
    """
    at = Address.of(uri)
    try:
        return await asyncpg.connect(
            uri,
            timeout=_CONNECT_SECONDS,
            server_settings={"application_name": "albert db", **_UNHURRIED},
        )
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _refusal(error, at) from error


def _refusal(error: Exception, at: Address) -> DatabaseError:
    """Return what to tell of a connection that could not be made."""
    if isinstance(error, asyncpg.InvalidPasswordError):
        return DatabaseError(
            f"PostgreSQL ({at.host}) refuse le mot de passe du compte « {at.user} » : "
            "corrigez POSTGRES_USER et POSTGRES_PASSWORD, ou POSTGRES_URI."
        )
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return DatabaseError(
            f"PostgreSQL ({at.host}) n'ouvre pas la base « {at.name} » au compte « {at.user} » "
            f"({error}) : voyez son pg_hba.conf."
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return DatabaseError(
            f"La base « {at.name} » n'existe pas sur {at.host} : créez-la par "
            f"« createdb {at.name} », ou corrigez POSTGRES_DB."
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return DatabaseError(f"Le compte « {at.user} » n'a pas le droit qu'il faut : {error}.")
    if isinstance(error, ssl.SSLError | ValueError | asyncpg.InterfaceError):
        return DatabaseError(
            f"L'adresse de la base ({at.host}) ne peut servir ({error}) : corrigez POSTGRES_URI."
        )
    return DatabaseUnavailable(
        f"PostgreSQL ne répond pas à {at.host} ({_silence(error)}) : lancez-le, ou corrigez "
        "POSTGRES_HOST et POSTGRES_PORT."
    )


def complaint(error: BaseException) -> str:
    """Return PostgreSQL's own sentence without its details, which quote rows: a log may keep it.

    Of a value that it refuses, the sentence itself quotes the value: its kind is returned.
    """
    known = isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.DataError)
    lines = str(error.args[0]).splitlines() if known and error.args else []
    return lines[0] if lines else type(error).__name__


def _silence(error: Exception) -> str:
    kinds: dict[type[Exception], str] = {
        ConnectionRefusedError: "rien n'y écoute",
        socket.gaierror: "ce nom n'a pas d'adresse",
        TimeoutError: "délai dépassé",
        FileNotFoundError: "son socket n'existe pas",
        asyncpg.OperatorInterventionError: "il démarre, ou s'arrête",
        asyncpg.TooManyConnectionsError: "toutes ses connexions sont prises",
    }
    known = (said for kind, said in kinds.items() if isinstance(error, kind))
    return next(known, getattr(error, "strerror", None) or str(error))
