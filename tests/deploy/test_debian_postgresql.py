"""Debian's PostgreSQL, as databases.md sets it up: the oldest version that Albert is for.

Its role is no superuser, and it knows less than the programs that save and restore.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from albert.api.database.backup.archive import verify
from albert.api.database.backup.restoring import restore
from albert.api.database.backup.taking import take
from albert.api.database.check import check_database
from albert.api.database.connecting import connect
from albert.api.database.upgrade import upgrade
from albert.api.migrations.schema import METADATA
from albert.domain.errors import DatabaseUnavailable

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
AS_SERVER = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
USERS = (
    "INSERT INTO users (username, email, is_admin, accept_cookie, accept_retrain) "
    "SELECT 'n' || i, 'n' || i || '@exemple.fr', false, false, false FROM generate_series(1, 50) i"
)


@pytest.fixture(scope="module")
def debian() -> Iterator[str]:
    """The address of a server of Debian's, by the network, as its superuser."""
    assert PROGRAMS.is_dir(), "install what tests/deploy/system-packages.txt lists"
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(0o700)
    shutil.chown(data, "postgres", "postgres")
    made = [*AS_SERVER, f"{PROGRAMS}/initdb", "-D", str(data), "--auth", "trust", "--no-sync"]
    subprocess.run(made, check=True, capture_output=True, cwd="/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", "", "-F"]
    with subprocess.Popen(
        [*AS_SERVER, f"{PROGRAMS}/postgres", *words], stderr=subprocess.DEVNULL, cwd="/"
    ) as process:
        uri = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        asyncio.run(answering(uri))
        yield uri
        process.terminate()
    shutil.rmtree(folder)


async def answering(uri: str) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(DatabaseUnavailable):
                await (await connect(uri)).close()
                return
            await asyncio.sleep(0.05)


def run(uri: str, *commands: str) -> None:
    async def work() -> None:
        connection = await asyncpg.connect(uri)
        for command in commands:
            await connection.execute(command)
        await connection.close()

    asyncio.run(work())


@pytest.fixture
def owned(debian: str) -> Iterator[str]:
    """A database of a role that owns it, and nothing else."""
    run(debian, "CREATE ROLE albert LOGIN PASSWORD 'secret'", "CREATE DATABASE albert OWNER albert")
    yield debian.replace("postgres@", "albert:secret@").replace("/postgres", "/albert")
    run(debian, "DROP DATABASE albert WITH (FORCE)", "DROP ROLE albert")


def saved(uri: str, folder: Path) -> Path:
    asyncio.run(upgrade(uri))
    run(uri, USERS)
    return asyncio.run(take(uri, folder, environment="test")).path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become postgres")
def test_a_backup_of_a_newer_postgresql_is_restored_into_this_one(
    owned: str, bare_database_uri: str, tmp_path: Path
) -> None:
    path = saved(bare_database_uri, tmp_path)
    done = asyncio.run(restore(owned, path, verify(path), METADATA.tables))
    assert done.tables["users"] == 50
    assert not [one for one in asyncio.run(check_database(owned, METADATA.tables)) if one.trouble]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become postgres")
def test_a_backup_of_this_one_replaces_its_data_and_fills_a_newer_one(
    owned: str, bare_database_uri: str, tmp_path: Path
) -> None:
    path = saved(owned, tmp_path)
    run(owned, "DELETE FROM users WHERE id > 10")
    for uri, replace in ((owned, True), (bare_database_uri, False)):
        done = asyncio.run(restore(uri, path, verify(path), METADATA.tables, replace=replace))
        assert done.tables["users"] == 50
