"""``albert db`` as an administrator types it: on the embedded database, and on a guarded one."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from albert.serving.embedded_postgres import EmbeddedPostgres, programs

pytestmark = pytest.mark.acceptance

PASSWORD = "un mot: de p@sse/"  # noqa: S105 — of this test
SERVER = "albert-postgres"
AS_SERVER = ["setpriv", "--reuid", SERVER, "--regid", SERVER, "--clear-groups"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")


def db(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ALBERT_", "POSTGRES_", "PG"))
    }
    return subprocess.run(
        [sys.executable, "-m", "albert", *words],
        env={**kept, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def right(env: dict[str, str], *words: str) -> str:
    done = db(env, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(env: dict[str, str], *words: str) -> str:
    done = db(env, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("Erreur : ")]
    return sentence


@dataclass(frozen=True)
class Guarded:
    """A PostgreSQL on the network of this machine, which asks for a password."""

    port: int
    home: Path

    def env(self, **said: str) -> dict[str, str]:
        return {
            "ALBERT_HOME": str(self.home),
            "POSTGRES_HOST": "127.0.0.1",
            "POSTGRES_PORT": str(self.port),
            "POSTGRES_USER": "albert",
            "POSTGRES_PASSWORD": PASSWORD,
            **said,
        }

    @property
    def address(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": "albert",
            "password": PASSWORD,
            "database": "postgres",
        }

    def create(self, name: str) -> None:
        async def work() -> None:
            connection = await asyncpg.connect(**self.address)
            await connection.execute(f"CREATE DATABASE {name}")
            await connection.close()

        asyncio.run(work())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded") / "pg"

    async def set_password(uri: str) -> None:
        connection = await asyncpg.connect(uri)
        await connection.execute(f"ALTER ROLE albert PASSWORD '{PASSWORD}'")
        await connection.close()

    with EmbeddedPostgres(folder, durable=False) as server:
        asyncio.run(set_password(server.uri))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    said = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
    options = [part for name, value in said.items() for part in ("-c", f"{name}={value}")]
    owner = AS_SERVER if os.geteuid() == 0 else []
    with subprocess.Popen(
        [*owner, programs() / "postgres", "-D", data, *options], stderr=subprocess.DEVNULL
    ) as process:
        guard = Guarded(port, tmp_path_factory.mktemp("home"))
        asyncio.run(answering(guard.address))
        yield guard
        process.terminate()


async def answering(address: dict[str, Any]) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                await (await asyncpg.connect(**address)).close()
                return
            await asyncio.sleep(0.05)


def test_the_embedded_database_is_saved_lost_and_restored(tmp_path: Path) -> None:
    env, other = {"ALBERT_HOME": str(tmp_path / "a")}, {"ALBERT_HOME": str(tmp_path / "b")}
    right(env, "user", "create", "camille", "camille@exemple.fr", "--generate")
    path = right(env, "db", "backup")
    assert Path(path).parent == tmp_path / "a" / "backups"

    right(other, "db", "restore", path)

    assert "camille@exemple.fr" in right(other, "user", "list")
    assert "À VOIR" not in right(other, "db", "check")


def test_migrations_are_listed_then_done_once(guarded: Guarded) -> None:
    guarded.create("migrated")
    env = guarded.env(POSTGRES_DB="migrated")
    assert db(env, "db", "check").returncode == 1  # there is no schema
    listed = right(env, "db", "migrate", "--dry-run")
    assert [line.split("\t")[0] for line in listed.splitlines()][:2] == ["0001", "0002"]
    assert right(env, "db", "migrate", "--to", "0001").startswith("0001\t")
    assert "n'a pas de version 9" in refused(env, "db", "migrate", "--to", "9")
    assert right(env, "db", "migrate").startswith("0002\t")
    assert right(env, "db", "migrate") == ""
    assert "ne se défait pas" in refused(env, "db", "migrate", "--to", "0001")
    assert db(env, "db", "check").returncode == 0


def test_a_password_goes_to_pg_dump_and_the_newest_backups_stay(
    guarded: Guarded, tmp_path: Path
) -> None:
    guarded.create("saved")
    env = guarded.env(POSTGRES_DB="saved", ALBERT_BACKUPS=str(tmp_path / "kept"))
    right(env, "db", "migrate")
    paths = [right(env, "db", "backup", "--keep", "2") for _ in range(3)]
    assert sorted(map(str, (tmp_path / "kept").iterdir())) == paths[1:]
    assert "--yes" in refused(env, "db", "restore", paths[-1], "--replace")
    right(env, "db", "restore", paths[-1], "--replace", "--yes")
    assert "dernière sauvegarde" in right(env, "db", "check", "--max-age", "1")

    damaged = bytearray(Path(paths[-1]).read_bytes())
    damaged[2000] ^= 1
    Path(paths[-1]).write_bytes(damaged)
    looked = db(env, "db", "check")
    assert (looked.returncode, looked.stdout.count("À VOIR")) == (1, 1)
    assert "est abîmée" in looked.stdout
    assert "est abîmée" in refused(env, "db", "restore", paths[-1])


def test_a_database_is_named_before_it_is_replaced_and_by_its_own_environment(
    guarded: Guarded, tmp_path: Path
) -> None:
    guarded.create("replaced")
    env = guarded.env(POSTGRES_DB="replaced", ALBERT_BACKUPS=str(tmp_path / "kept"))
    right(env, "db", "migrate")
    words = ("db", "restore", right(env | {"ENV": "staging"}, "db", "backup"), "--replace")

    assert "de l'environnement « staging », et non de « dev »" in refused(env, *words, "--yes")
    meant = ("--from-environment", "staging")
    assert (
        f"contient la base « replaced » de 127.0.0.1:{guarded.port} par la sauvegarde de "
        "« staging »"
    ) in refused(env, *words, *meant)
    assert "Remplace tout" in db(env, *words, *meant, "--yes").stderr


def test_a_database_that_does_not_let_us_in_is_one_sentence(guarded: Guarded) -> None:
    absent = refused(guarded.env(POSTGRES_DB="absente"), "db", "check")
    assert "La base « absente » n'existe pas" in absent
    away = refused(guarded.env(POSTGRES_PORT="1"), "db", "check")
    assert "ne répond pas à 127.0.0.1:1 (rien n'y écoute)" in away
    nowhere = refused(guarded.env(POSTGRES_HOST="base.invalid"), "db", "check")
    assert re.search(r"à base\.invalid:\d+ \(ce nom n'a pas d'adresse\)", nowhere)


@pytest.mark.parametrize("words", ["db check", "user list"])
@pytest.mark.parametrize("place", ["[::1", "h:port"])
def test_an_address_that_is_none_is_one_sentence(tmp_path: Path, place: str, words: str) -> None:
    env = {"ALBERT_HOME": str(tmp_path), "POSTGRES_URI": f"postgresql://a:motdepasse@{place}/n"}
    said = refused(env, *words.split())
    assert "corrigez" in said
    assert "motdepasse" not in said


@pytest.mark.parametrize("words", ["db migrate", "db backup", "db check", "user list"])
def test_a_wrong_password_is_told_at_once_and_not_shown(guarded: Guarded, words: str) -> None:
    said = refused(guarded.env(POSTGRES_PASSWORD="faux"), *words.split())  # noqa: S106
    assert "refuse le mot de passe du compte « albert »" in said
    assert "faux" not in said


def test_a_place_that_cannot_take_a_backup_is_one_sentence(
    guarded: Guarded, tmp_path: Path
) -> None:
    guarded.create("placed")
    env = guarded.env(POSTGRES_DB="placed")
    right(env, "db", "migrate")
    taken = right(env, "db", "backup", "--output", str(tmp_path / "one.albertdb"))
    assert "existe déjà" in refused(env, "db", "backup", "--output", taken)
    nowhere = str(tmp_path / "absent" / "one.albertdb")
    assert "n'existe pas : créez-le" in refused(env, "db", "backup", "--output", nowhere)
    assert "inutilisable" in refused(env, "db", "backup", "--output", "/proc")
    assert "n'existe pas" in refused(env, "db", "restore", nowhere)
    assert "--keep trie un dossier" in refused(
        env, "db", "backup", "--keep", "1", "--output", nowhere
    )


@as_root
@pytest.mark.parametrize(
    ("owner", "name", "before"),
    [
        (65534, "nobody", "sudo -u 'nobody'"),
        (54321, "54321", "setpriv --reuid 54321 --regid 54321 --clear-groups"),
    ],
)
@pytest.mark.parametrize("words", ["db backup", "user list", "corpus build"])
def test_root_leaves_nothing_in_the_folder_of_another_account(
    tmp_path: Path, words: str, owner: int, name: str, before: str
) -> None:
    os.chown(tmp_path, owner, owner)
    said = refused({"ALBERT_HOME": str(tmp_path)}, *words.split())
    assert f"est au compte « {name} »" in said
    assert f"mettez « {before} » devant" in said
    assert list(tmp_path.iterdir()) == []


@as_root
def test_a_full_disk_is_one_sentence_and_leaves_the_earlier_backups(
    guarded: Guarded, tmp_path: Path
) -> None:
    guarded.create("filled")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)]).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        env = guarded.env(POSTGRES_DB="filled", ALBERT_BACKUPS=str(disk))
        right(env, "db", "migrate")
        first = right(env, "db", "backup")
        assert "Le disque est plein" in refused(env, "db", "backup", "--keep", "1")
        assert list(map(str, disk.iterdir())) == [first]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
