"""A backup is taken while others write, and put back whole or not at all."""

import asyncio
import fcntl
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

import asyncpg
import pytest
from populated import everything, execute, on, populate

from albert.api.database.backup import programs
from albert.api.database.backup.archive import MANIFEST, Writing, clear, manifest_of, verify
from albert.api.database.backup.folder import kept
from albert.api.database.backup.manifest import Manifest
from albert.api.database.backup.restoring import Restored, restore
from albert.api.database.backup.taking import take
from albert.api.database.engine import Database
from albert.api.database.migrate import versions
from albert.api.database.upgrade import upgrade
from albert.api.database.waiting import Patience
from albert.api.migrations.schema import METADATA
from albert.domain.errors import BackupInvalid, DatabaseError, HomeError

pytestmark = pytest.mark.integration

CHAT = "INSERT INTO chats (user_id, chat_type, operators, themes) VALUES (1, 'qa', '{}', '{}')"
QUESTION = (
    "INSERT INTO streams (user_id, model_name, query, context, institution, links, temperature,"
    " state) VALUES (1, 'm', 'q', '', '', '', 0, 'done')"
)


NEWCOMER = (
    "INSERT INTO users (username, email, is_admin, accept_cookie, accept_retrain)"
    " VALUES ('nouvelle', 'nouvelle@exemple.fr', false, false, false)"
)


def backup(uri: str, target: Path) -> Path:
    return asyncio.run(take(uri, target, environment="test")).path


def put_back(uri: str, path: Path, *, replace: bool = False) -> Restored:
    return asyncio.run(restore(uri, path, verify(path), METADATA.tables, replace=replace))


def altered(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write the backup again, with another manifest."""
    with ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(parts[MANIFEST])
    change(manifest)
    other = path.with_name("altered.albertdb")
    with ZipFile(other, "w") as file:
        for name, data in {**parts, MANIFEST: json.dumps(manifest).encode()}.items():
            file.writestr(name, data)
    return other


def test_every_value_is_back_in_an_empty_database(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    before = everything(database_uri)
    assert all(before.values())  # a table that a test forgets is a table that a backup may lose

    done = put_back(bare_database_uri, backup(database_uri, tmp_path))

    assert everything(bare_database_uri) == before
    assert done.tables == {name: len(rows) for name, rows in before.items()}
    assert (done.steps, done.late) == ([], [])


def test_a_restored_database_numbers_on_and_keeps_its_rules(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    put_back(bare_database_uri, backup(database_uri, tmp_path))

    async def number(connection: asyncpg.Connection) -> int:
        found: int = await connection.fetchval(QUESTION + " RETURNING id")
        return found

    assert on(bare_database_uri, number) == 2
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        execute(bare_database_uri, QUESTION.replace("(1,", "(77,"))


def test_the_restored_schema_is_that_of_the_migrations(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    put_back(bare_database_uri, backup(database_uri, tmp_path))

    async def shape(connection: asyncpg.Connection) -> set[tuple[str, ...]]:
        rows = await connection.fetch(
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL"
            " SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace UNION ALL"
            " SELECT table_name::text, concat_ws(' ', column_name, data_type, is_nullable,"
            " column_default, is_identity)"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        )
        return {tuple(row) for row in rows}

    assert on(bare_database_uri, shape) == on(database_uri, shape)


def test_what_others_write_meanwhile_is_neither_saved_nor_counted(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)

    async def under_load() -> tuple[Manifest, int]:
        stop = asyncio.Event()

        async def write(begun: asyncio.Event) -> int:
            connection, written = await asyncpg.connect(database_uri), 0
            while not (stop.is_set() and written):
                async with connection.transaction():
                    await connection.execute(CHAT)
                    await connection.execute(QUESTION)
                written += 1
                begun.set()
            await connection.close()
            return written

        begun = [asyncio.Event() for _ in range(3)]
        writers = [asyncio.create_task(write(one)) for one in begun]
        await asyncio.gather(*(one.wait() for one in begun))
        taken = await take(database_uri, tmp_path / "one.albertdb", environment="test")
        stop.set()
        return taken.manifest, sum(await asyncio.gather(*writers))

    manifest, written = asyncio.run(under_load())
    put_back(bare_database_uri, tmp_path / "one.albertdb")
    restored = {name: len(rows) for name, rows in everything(bare_database_uri).items()}

    assert restored == manifest.tables
    assert manifest.tables["chats"] == manifest.tables["streams"]  # each transaction, whole
    assert 1 < manifest.tables["chats"] < 1 + written


def test_a_backup_of_an_earlier_schema_is_brought_to_this_one(
    postgres: str, bare_database_uri: str, tmp_path: Path
) -> None:
    execute(postgres, "CREATE DATABASE earlier TEMPLATE template0")
    earlier = postgres.replace("/postgres?", "/earlier?")
    asyncio.run(upgrade(earlier, "0001"))
    execute(
        earlier,
        "INSERT INTO users (username, email, is_admin, accept_cookie, accept_retrain)"
        " VALUES ('camille', 'camille@exemple.fr', false, false, false)",
    )
    path = backup(earlier, tmp_path)
    execute(postgres, "DROP DATABASE earlier WITH (FORCE)")
    assert manifest_of(path).schema_version == "0001"

    done = put_back(bare_database_uri, path)

    found = everything(bare_database_uri)
    assert [step.version for step in done.steps] == versions()[1:]
    assert found["alembic_version"] == [f"({versions()[-1]})"]
    assert (len(found["users"]), found["usage"]) == (1, [])


def test_a_backup_of_a_later_schema_is_refused(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    later = altered(
        backup(database_uri, tmp_path), lambda manifest: manifest.update(schema_version="9999")
    )
    with pytest.raises(BackupInvalid, match=r"plus récente d'Albert .*mettez Albert à jour"):
        put_back(bare_database_uri, later)
    assert everything(bare_database_uri) == {}


def test_data_is_replaced_only_where_that_is_said(database_uri: str, tmp_path: Path) -> None:
    populate(database_uri)
    path = backup(database_uri, tmp_path)
    before = everything(database_uri)
    execute(database_uri, QUESTION)

    with pytest.raises(DatabaseError, match=r"pas vide \(.*streams : 2.*--replace"):
        put_back(database_uri, path)
    assert len(everything(database_uri)["streams"]) == 2

    put_back(database_uri, path, replace=True)
    assert everything(database_uri) == before


def test_a_schema_without_data_is_an_empty_database(database_uri: str, tmp_path: Path) -> None:
    path = backup(database_uri, tmp_path)
    assert sum(put_back(database_uri, path).tables.values()) == 1  # alembic's own row


def test_a_restoration_that_fails_leaves_what_was_there(database_uri: str, tmp_path: Path) -> None:
    populate(database_uri)
    path = backup(database_uri, tmp_path)
    execute(database_uri, QUESTION)
    before = everything(database_uri)
    wrong = altered(path, lambda manifest: manifest["tables"].update(streams=5))

    with pytest.raises(BackupInvalid, match=r"streams : 1 au lieu de 5.*rien n'a changé"):
        put_back(database_uri, wrong, replace=True)

    assert everything(database_uri) == before


def test_a_row_written_while_a_restoration_waits_is_not_lost(
    database_uri: str, tmp_path: Path
) -> None:
    path = backup(database_uri, tmp_path)

    async def with_a_writer() -> None:
        writer = await asyncpg.connect(database_uri)
        await writer.execute(f"BEGIN; {NEWCOMER}")
        waited_for = asyncio.Event()
        restoration = asyncio.create_task(
            restore(
                database_uri,
                path,
                verify(path),
                METADATA.tables,
                while_serving=True,
                tell_wait=lambda _holder: waited_for.set(),
                patience=Patience(table=60, notice=0.05),
            )
        )
        await waited_for.wait()
        await writer.execute("COMMIT")
        await writer.close()
        await restoration

    with pytest.raises(DatabaseError, match=r"pas vide \(users : 1\)"):
        asyncio.run(with_a_writer())
    assert len(everything(database_uri)["users"]) == 1


def test_who_holds_a_table_is_named_before_anything_is_replaced(
    database_uri: str, tmp_path: Path
) -> None:
    path = backup(database_uri, tmp_path)
    execute(database_uri, NEWCOMER)

    async def with_a_reader() -> None:
        reader = await asyncpg.connect(database_uri, server_settings={"application_name": "psql"})
        await reader.execute("BEGIN; SELECT FROM users")
        try:
            await restore(
                database_uri,
                path,
                verify(path),
                METADATA.tables,
                replace=True,
                while_serving=True,
                patience=Patience(table=1.5, notice=0.1),
            )
        finally:
            await reader.close()

    with pytest.raises(DatabaseError, match=r"« psql », .*retient une table.*rien n'a été changé"):
        asyncio.run(with_a_reader())
    assert len(everything(database_uri)["users"]) == 1


def test_what_other_accounts_may_read_is_given_again(database_uri: str, tmp_path: Path) -> None:
    path = backup(database_uri, tmp_path)
    execute(database_uri, "DROP ROLE IF EXISTS statistics; CREATE ROLE statistics")
    execute(
        database_uri,
        "GRANT SELECT ON usage TO statistics WITH GRANT OPTION;"
        "GRANT SELECT (id, username) ON users TO statistics; GRANT USAGE ON chats_id_seq TO PUBLIC;"
        "ALTER TABLE limits ADD extra int; GRANT UPDATE (extra) ON limits TO statistics",
    )
    rights = (
        "SELECT array[has_table_privilege('statistics', 'usage', 'SELECT WITH GRANT OPTION'),"
        " has_column_privilege('statistics', 'users', 'username', 'SELECT'),"
        " has_table_privilege('statistics', 'users', 'SELECT'),"
        " has_sequence_privilege('statistics', 'chats_id_seq', 'USAGE')]"
    )

    done = put_back(database_uri, path, replace=True)

    found = on(database_uri, lambda connection: connection.fetchval(rights))
    assert found == [True, True, False, True]
    assert done.lost == ["GRANT UPDATE (extra) ON TABLE limits TO statistics"]
    execute(database_uri, "DROP OWNED BY statistics; DROP ROLE statistics")


def test_a_database_in_use_is_left_alone(database_uri: str, tmp_path: Path) -> None:
    path = backup(database_uri, tmp_path)

    async def with_a_service(*, anyway: bool) -> Restored:
        service, manifest = Database(database_uri), verify(path)
        await service.open()
        try:
            return await restore(
                database_uri, path, manifest, METADATA.tables, while_serving=anyway
            )
        finally:
            await service.close()

    with pytest.raises(DatabaseError, match=r"dont 1 services d'Albert\..*--while-serving"):
        asyncio.run(with_a_service(anyway=False))
    assert asyncio.run(with_a_service(anyway=True)).tables["users"] == 0


def test_tables_of_somebody_else_are_never_dropped(database_uri: str, tmp_path: Path) -> None:
    path = backup(database_uri, tmp_path)
    execute(database_uri, "CREATE TABLE comptabilite (id int)")
    with pytest.raises(DatabaseError, match=r"pas d'Albert \(comptabilite\)"):
        put_back(database_uri, path, replace=True)


def test_a_database_of_a_later_albert_is_told_for_what_it_is(
    database_uri: str, tmp_path: Path
) -> None:
    path = backup(database_uri, tmp_path)
    execute(database_uri, "CREATE TABLE apres (id int)")
    execute(database_uri, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match=r"plus récent \(schéma 9999\).*base vide"):
        put_back(database_uri, path, replace=True)


def test_a_sequence_that_was_behind_is_set_right(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    execute(database_uri, "ALTER SEQUENCE chats_id_seq RESTART WITH 1")

    done = put_back(bare_database_uri, backup(database_uri, tmp_path))

    assert done.late == ["public.chats_id_seq"]
    execute(bare_database_uri, CHAT)


def test_accounts_erased_since_are_named_when_they_are_back(
    database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    path = backup(database_uri, tmp_path)
    execute(database_uri, "DELETE FROM users WHERE username = 'voisine'")
    assert put_back(database_uri, path, replace=True).returned == ["voisine"]


def test_tokens_revoked_since_are_named_when_they_are_valid_again(
    database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    path = backup(database_uri, tmp_path)
    execute(database_uri, "UPDATE api_tokens SET revoked_at = now()")
    assert put_back(database_uri, path, replace=True).valid_again == ["voisine : poste"]
    assert put_back(database_uri, path, replace=True).valid_again == []


KILLED = """
import asyncio, os, pathlib, signal, sys
from albert.api.database.backup.taking import take
kill = lambda size: os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(take(sys.argv[1], pathlib.Path(sys.argv[2]), environment="test", tell=kill))
"""


def test_a_backup_that_was_killed_is_none_and_the_next_one_clears_it(
    database_uri: str, tmp_path: Path
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, database_uri, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    [left] = tmp_path.iterdir()
    assert kept(tmp_path, "test") == []
    assert left.suffix != ".albertdb"
    with pytest.raises(BackupInvalid):
        verify(left)

    path = backup(database_uri, tmp_path)

    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_backup_that_another_process_is_writing_is_not_cleared(
    database_uri: str, tmp_path: Path
) -> None:
    with Writing(tmp_path / "slow.albertdb") as slow:
        path = backup(database_uri, tmp_path)
        slow.write(b"still there")
        slow.finish(manifest_of(path))
    assert {one.name for one in tmp_path.iterdir()} == {path.name, "slow.albertdb"}


def test_another_backup_of_the_same_name_is_told_as_such(database_uri: str, tmp_path: Path) -> None:
    path = tmp_path / "one.albertdb"
    with Writing(path), pytest.raises(HomeError, match=r"Une autre sauvegarde écrit « .*one\.alb"):
        backup(database_uri, path)
    assert verify(backup(database_uri, path)).environment == "test"


def test_a_backup_cleared_before_it_had_its_lock_is_made_again(
    database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    cleared: list[str] = []

    def too_late(file: IO[bytes], how: int) -> None:
        if not cleared and how == fcntl.LOCK_EX:
            cleared.append(file.name)
            clear(tmp_path)
        lock(file, how)

    monkeypatch.setattr("fcntl.flock", too_late)
    path = backup(database_uri, tmp_path)
    assert cleared
    assert verify(path).environment == "test"


def test_extensions_of_the_server_are_not_asked_of_the_next_one(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    execute(database_uri, "CREATE EXTENSION pg_trgm")
    before = everything(database_uri)

    put_back(bare_database_uri, backup(database_uri, tmp_path))

    assert everything(bare_database_uri) == before
    extensions = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"
    assert on(bare_database_uri, lambda connection: connection.fetchval(extensions)) == 0


def test_there_is_nothing_to_save_without_a_schema(bare_database_uri: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="rien à sauvegarder"):
        backup(bare_database_uri, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_right_that_is_missing_is_told_before_anything_is_written(
    database_uri: str, tmp_path: Path
) -> None:
    execute(database_uri, "DROP ROLE IF EXISTS reader")
    execute(database_uri, "CREATE ROLE reader; GRANT SELECT ON users, alembic_version TO reader")

    with pytest.raises(DatabaseError, match="permission denied for table"):
        backup(f"{database_uri}&options=-c%20role%3Dreader", tmp_path)

    assert list(tmp_path.iterdir()) == []
    execute(database_uri, "DROP OWNED BY reader; DROP ROLE reader")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_backup_that_is_cut_is_refused(database_uri: str, tmp_path: Path, part: float) -> None:
    path = backup(database_uri, tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(BackupInvalid, match=r"est coupée|n'est pas une sauvegarde"):
        verify(path)


def test_no_byte_of_the_data_or_of_the_manifest_can_change_unseen(
    database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    path = backup(database_uri, tmp_path)
    right, manifest = path.read_bytes(), verify(path)
    accepted = 0
    for position in range(0, len(right), 97):
        wrong = bytearray(right)
        wrong[position] ^= 0x10
        path.write_bytes(wrong)
        try:
            assert verify(path) == manifest  # dates of the zip's own headers say nothing of it
        except BackupInvalid:
            continue
        accepted += 1
    assert accepted <= 3


def test_no_bit_of_the_zip_s_directory_is_more_than_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "one.albertdb"
    with Writing(path) as writing:
        writing.write(b"PGDMP")
        writing.finish(
            Manifest(
                format=1,
                albert="1",
                environment="test",
                taken_at=datetime(2026, 1, 1, tzinfo=UTC),
                postgres="18",
                schema_version="0002",
                tables={},
                size=writing.size,
                sha256=writing.sha256,
            )
        )
    right, manifest = path.read_bytes(), verify(path)
    directory = range(right.index(b"PK\x01\x02"), len(right))
    for position, bit in product(directory, range(8)):
        wrong = bytearray(right)
        wrong[position] ^= 1 << bit
        path.write_bytes(wrong)
        with suppress(BackupInvalid):
            assert verify(path) == manifest


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "n'est pas une sauvegarde"),
        (b"SELECT 1;", "n'est pas une sauvegarde"),
        (b"PGDMP\x01\x10", "vient de pg_dump"),
    ],
)
def test_another_file_is_told_for_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(BackupInvalid, match=said):
        verify(path)


def test_a_zip_of_something_else_and_no_file_are_told(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("lisez-moi", "rien")
    with pytest.raises(BackupInvalid, match="mais pas une sauvegarde d'Albert"):
        verify(tmp_path / "other.zip")
    with pytest.raises(BackupInvalid, match="n'existe pas"):
        verify(tmp_path / "absent")


def test_a_dump_that_pg_restore_cannot_read_changes_nothing(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    path = backup(database_uri, tmp_path)
    manifest = manifest_of(path)
    with ZipFile(path, "w") as file:
        file.writestr("database.dump", b"PGDMP and then nothing")
        file.writestr(MANIFEST, manifest.model_dump_json())
    with pytest.raises(BackupInvalid, match="pg_restore ne sait pas lire"):
        asyncio.run(restore(bare_database_uri, path, manifest, METADATA.tables))
    assert everything(bare_database_uri) == {}


def test_a_file_that_cannot_be_read_to_its_end_is_not_waited_for(
    database_uri: str, tmp_path: Path
) -> None:
    whole = backup(database_uri, tmp_path)

    def cut() -> Iterator[bytes]:
        with ZipFile(whole) as file, file.open("database.dump") as dump:
            yield dump.read(100)
        raise BackupInvalid("coupée")

    async def listed() -> list[str]:
        async with asyncio.timeout(60):  # it would be for ever
            return await programs.contents(cut())

    with pytest.raises(BackupInvalid, match="coupée"):
        asyncio.run(listed())


def test_a_row_that_postgresql_refuses_is_not_quoted(
    database_uri: str, bare_database_uri: str, tmp_path: Path
) -> None:
    populate(database_uri)
    execute(database_uri, "SET session_replication_role = replica; DELETE FROM users WHERE id = 2")
    path = backup(database_uri, tmp_path)

    with pytest.raises(DatabaseError, match="violates foreign key") as refused:
        put_back(bare_database_uri, path)

    assert "(2)" not in str(refused.value)
