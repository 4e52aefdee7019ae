"""PostgreSQL for one machine: it ends with its owner, and lets nobody else in."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from albert.api.keys import KEY_FILE, SECRET_FILE, ensure_key
from albert.serving.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

OWNER = """
import sys
from pathlib import Path
from albert.serving.embedded_postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server:
    print(server.uri, flush=True)
    sys.stdin.read()
"""
AS_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


async def version(uri: str) -> int:
    connection = await asyncpg.connect(uri)
    try:
        found: int = await connection.fetchval("SELECT current_setting('server_version_num')::int")
    finally:
        await connection.close()
    return found


async def version_again(uri: str) -> int:
    """Return the version once somebody answers at that address again."""
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                return await version(uri)
            await asyncio.sleep(0.05)


def server_pid(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def ended(pid: int) -> bool:
    for _ in range(250):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_it_is_made_then_found_again(tmp_path: Path) -> None:
    for _ in range(2):
        with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
            assert asyncio.run(version(server.uri)) >= 150000
            pid = server_pid(tmp_path / "pg")
        assert ended(pid)


def test_a_second_process_shares_the_one_that_runs(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        with EmbeddedPostgres(tmp_path / "pg", durable=False) as guest:
            assert guest.uri == server.uri
        assert asyncio.run(version(server.uri)) >= 150000  # the guest's leaving stops nothing


@contextmanager
def owner(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server from a process of its own, which leaves when its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def leaves(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def is_killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_it_ends_with_its_owner_even_killed_and_starts_again(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    with owner(folder) as process:
        pid = server_pid(folder)
        is_killed(process)
    assert ended(pid)
    with EmbeddedPostgres(folder, durable=False) as server:
        assert asyncio.run(version(server.uri)) >= 150000


def test_started_again_before_the_one_of_a_killed_process_has_ended(tmp_path: Path) -> None:
    with owner(tmp_path / "pg") as process:
        is_killed(process)
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        assert asyncio.run(version(server.uri)) >= 150000


@pytest.mark.parametrize("end", [leaves, is_killed])
@pytest.mark.parametrize("folder", ["pg", "d" * 60 + "/" + "e" * 60], ids=["short", "deep"])
def test_those_who_share_it_have_it_again_when_its_owner_ends(
    tmp_path: Path, folder: str, end: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    place = tmp_path / folder
    with owner(place) as process, ExitStack() as guests:
        pid = server_pid(place)
        uris = [guests.enter_context(EmbeddedPostgres(place, durable=False)).uri for _ in range(2)]
        end(process)
        assert ended(pid)
        for uri in uris:
            assert asyncio.run(version_again(uri)) >= 150000
        pid = server_pid(place)
    assert ended(pid)


@as_root
def test_another_user_of_the_machine_reads_neither_key_nor_database(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in (KEY_FILE, SECRET_FILE):
        ensure_key(home / "secrets", name)
    with EmbeddedPostgres(home / "postgres", durable=False) as server:
        targets = [
            home / "secrets" / KEY_FILE,
            home / "secrets" / SECRET_FILE,
            home / "postgres" / "data" / "PG_VERSION",
            home / "postgres" / "postgres.log",
        ]
        for target in targets:
            read = subprocess.run([*AS_NOBODY, "cat", target], capture_output=True, check=False)
            assert read.returncode != 0, target
        assert home.stat().st_mode & 0o777 == 0o701  # passed through, not looked into
        assert (home / "secrets").stat().st_mode & 0o777 == 0o700
        assert asyncio.run(version(server.uri)) >= 150000


def test_the_socket_of_a_deep_folder_lies_where_it_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with EmbeddedPostgres(deep, durable=False) as server:
        assert asyncio.run(version(server.uri)) >= 150000
