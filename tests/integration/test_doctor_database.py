"""What ``albert doctor`` says of a PostgreSQL: a real one that wants passwords, and an old one."""

import asyncio
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from examined import found, free_port, levels, mute

from albert.api.database.connecting import connect
from albert.deploy.checks.database import check_database
from albert.deploy.checks.finding import Finding
from albert.serving.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

PASSWORD = "n7Gd2Wc5Yb8Hj"  # noqa: S105 — of an account of this test's own
check = partial(check_database, connect=connect)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A PostgreSQL with two accounts: the owner of a database, and one who may create nothing."""

    async def prepare(uri: str) -> None:
        admin = await asyncpg.connect(uri)
        try:
            await admin.execute(f"CREATE ROLE proprietaire LOGIN PASSWORD '{PASSWORD}'")
            await admin.execute(f"CREATE ROLE lecteur LOGIN PASSWORD '{PASSWORD}'")
            await admin.execute("CREATE DATABASE albert OWNER proprietaire")
            rules = Path(await admin.fetchval("SHOW hba_file"))
            lines = "local all albert peer map=albert\nlocal all all scram-sha-256\n"
            await asyncio.to_thread(rules.write_text, lines, "ascii")
            await admin.execute("SELECT pg_reload_conf()")
        finally:
            await admin.close()

    folder = tmp_path_factory.mktemp("pg") / "s"
    with EmbeddedPostgres(folder, durable=False) as running:
        asyncio.run(prepare(running.uri))
        yield {
            "ALBERT_HOME": str(folder.parent / "home"),
            "POSTGRES_HOST": parse_qs(urlsplit(running.uri).query)["host"][0],
            "POSTGRES_USER": "proprietaire",
            "POSTGRES_PASSWORD": PASSWORD,
            "POSTGRES_DB": "albert",
        }


def test_a_database_that_takes_our_tables_is_well(server: dict[str, str]) -> None:
    (finding,) = found(check, server)
    assert finding.level == "ok"
    assert finding.said.startswith("PostgreSQL 18.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"POSTGRES_PASSWORD": "un-autre-mot"},
            "refuse le mot de passe du compte",
        ),
        ({"POSTGRES_DB": "nulle"}, "La base « nulle » n'existe pas"),
        ({"POSTGRES_USER": "lecteur"}, "ce compte ne peut pas y créer de tables"),
        ({"POSTGRES_HOST": "inexistant.invalid"}, "ne répond pas à inexistant.invalid"),
        ({"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "{closed}"}, "ne répond pas à 127.0.0.1"),
        ({"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": "{mute}"}, "délai dépassé"),
    ],
    ids=["password", "database", "privilege", "host", "port", "mute"],
)
def test_a_database_that_cannot_serve_is_one_sentence(
    server: dict[str, str], change: dict[str, str], said: str
) -> None:
    with mute() as silent:
        places = {name: v.format(closed=free_port(), mute=silent) for name, v in change.items()}
        (finding,) = found(check, {**server, **places})
    assert finding.level == "error"
    assert said in finding.said
    assert "\n" not in finding.said


def test_a_version_that_is_too_old_is_an_error(tmp_path: Path) -> None:
    """No PostgreSQL 14 can be had: a server says, in its protocol, that it is one."""

    def told(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", len(body) + 4) + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!I", await reader.readexactly(4))
        (code,) = struct.unpack("!I", (await reader.readexactly(length - 4))[:4])
        if code == 80877103:  # it asks for TLS
            writer.write(b"N")
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            await reader.readexactly(length - 4)
        writer.write(told(b"R", struct.pack("!I", 0)))
        writer.write(told(b"S", b"server_version\x0014.9\x00"))
        writer.write(told(b"S", b"client_encoding\x00UTF8\x00"))
        writer.write(told(b"K", struct.pack("!II", 1, 1)))
        writer.write(told(b"Z", b"I"))
        await writer.drain()
        await reader.read()
        writer.close()

    async def scenario() -> list[Finding]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = str(server.sockets[0].getsockname()[1])
            values = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": port}
            return await asyncio.to_thread(found, check, {"ALBERT_HOME": str(tmp_path), **values})

    (finding,) = asyncio.run(scenario())
    assert finding.level == "error"
    assert finding.said == (
        "PostgreSQL 14.9 répond, et Albert demande PostgreSQL 15 ou plus récent."
    )


def test_several_machines_of_the_api_want_one_database(tmp_path: Path) -> None:
    values = {"ALBERT_HOME": str(tmp_path), "API_HOSTS": "localhost,api2.exemple.fr"}
    assert levels(found(check, values)) == ["error"]
    assert levels(found(check, {"ALBERT_HOME": str(tmp_path)})) == ["ok"]
