"""``albert db check`` sees what a database has lost, and a backup that is too old."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from populated import execute, populate

from albert.api.database.backup.taking import take
from albert.api.database.check import check_backups, check_database
from albert.api.migrations.schema import METADATA

pytestmark = pytest.mark.integration


def troubles(uri: str) -> list[str]:
    findings = asyncio.run(check_database(uri, METADATA.tables))
    return [finding.said for finding in findings if finding.trouble]


def test_a_whole_database_has_no_trouble(database_uri: str) -> None:
    populate(database_uri)
    assert troubles(database_uri) == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ALTER SEQUENCE chats_id_seq RESTART WITH 1", "public.chats_id_seq donnera 1"),
        (
            "SET session_replication_role = replica; DELETE FROM users WHERE id = 2",
            "1 lignes sans leur parent, par la clé api_tokens_user_id_fkey",
        ),
        ("DROP TABLE usage", "tables absentes : usage"),
        ("UPDATE alembic_version SET version_num = '0001'", "schéma 0001 au lieu de"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'usage_at_index'::regclass",
            "usage_at_index",
        ),
    ],
    ids=["sequence", "orphan", "table", "version", "index"],
)
def test_what_is_wrong_is_named(database_uri: str, command: str, said: str) -> None:
    populate(database_uri)
    execute(database_uri, command)
    assert said in " ; ".join(troubles(database_uri))


def test_the_last_backup_may_be_missing_or_too_old(database_uri: str, tmp_path: Path) -> None:
    def wrong(hours: float | None) -> list[bool]:
        at_most = None if hours is None else timedelta(hours=hours)
        findings = asyncio.run(check_backups(tmp_path, "test", at_most=at_most))
        return [finding.trouble for finding in findings]

    assert wrong(None) == [False]
    assert wrong(24) == [True]
    asyncio.run(take(database_uri, tmp_path, environment="test"))
    assert wrong(24) == [False, False]
    assert wrong(0) == [True, False]
