"""PostgreSQL's own programs, run beside us; a password never among their words."""

from __future__ import annotations

import asyncio
import tempfile
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import IO

from albert.api.database.connecting import Address
from albert.domain.errors import BackupInvalid, DatabaseError
from albert.serving.embedded_postgres import programs
from albert.settings import environment

_PIECE = 1 << 18
_KEPT = {"PATH", "HOME", "USER", "LD_LIBRARY_PATH", "TMPDIR", "TZ"}
_VERSION = "server version mismatch"


async def dump(address: Address, snapshot: str) -> AsyncGenerator[bytes, None]:
    """Give what pg_dump says of a database as it was in ``snapshot``, piece by piece.

    Raises:
        DatabaseError: pg_dump stopped; in the sentence, why.
    """
    words = (
        *("--format=custom", "--compress=gzip:3", f"--snapshot={snapshot}", "--no-password"),
        *("--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions"),
        *("--no-comments", "--no-security-labels", "--no-tablespaces"),
        "--exclude-extension=*",  # we use none, and where it goes may not have them
        f"--dbname={address.bare}",
    )
    async with _running("pg_dump", words, password=address.password) as out:
        while piece := await out.read(_PIECE):
            yield piece


async def script(pieces: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Give the SQL that makes again what a dump holds, piece by piece.

    Raises:
        BackupInvalid: pg_restore cannot read the dump.
    """
    words = ("--no-owner", "--no-privileges", "--no-comments", "--no-tablespaces", "--file=-")
    async with _running("pg_restore", words, feed=pieces) as out:
        while piece := await out.read(_PIECE):
            yield piece


async def contents(pieces: Iterable[bytes]) -> list[str]:
    """Return the lines of pg_restore's list of what a dump holds.

    Raises:
        BackupInvalid: pg_restore cannot read the dump.
    """
    async with _running("pg_restore", ("--list",), feed=pieces) as out:
        said = await out.read()
    return [line for line in said.decode().splitlines() if line and line[0] != ";"]


@asynccontextmanager
async def _running(
    name: str, words: tuple[str, ...], *, password: str = "", feed: Iterable[bytes] | None = None
) -> AsyncIterator[StreamReader]:
    """Run a program for the block, which reads what it says; then see that it went well."""
    with tempfile.TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            programs() / name,
            *words,
            env=_environment(password),
            stdin=DEVNULL if feed is None else PIPE,
            stdout=PIPE,
            stderr=complaints,
        )
        feeding = asyncio.create_task(_feed(process.stdin, feed or ()))
        try:
            assert process.stdout is not None  # noqa: S101 — PIPE
            yield process.stdout
            await feeding
            if await process.wait():
                raise _failure(name, complaints)
        finally:
            feeding.cancel()
            await _end(process)


async def _feed(into: StreamWriter | None, pieces: Iterable[bytes]) -> None:
    if into is None:
        return
    try:
        with suppress(ConnectionError):  # it has read what it wanted
            for piece in pieces:
                into.write(piece)
                await into.drain()
    finally:
        into.close()  # or the program waits for the rest, and we for the program
    with suppress(ConnectionError):
        await into.wait_closed()


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _environment(password: str) -> dict[str, str]:
    """Return what a program of PostgreSQL may know of ours: where files are, and its own words."""
    kept = {
        name: value
        for name, value in environment().items()
        if name in _KEPT or name.startswith("PG")
    }
    mine = {"PGPASSWORD": password} if password else {}
    return {**kept, **mine, "LC_ALL": "C", "PGAPPNAME": "albert db"}


def _failure(name: str, complaints: IO[bytes]) -> DatabaseError:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    last = next((line for line in lines if "error:" in line), lines[-1] if lines else "")
    said = last.rpartition("error: ")[2].rstrip(".")
    if _VERSION in last:
        return DatabaseError(
            "Ce PostgreSQL est plus récent que le pg_dump d'Albert : mettez Albert à jour, ou "
            "sauvegardez par le pg_dump de ce serveur."
        )
    if name == "pg_restore":
        return BackupInvalid(f"pg_restore ne sait pas lire cette sauvegarde : {said}.")
    return DatabaseError(f"{name} s'est arrêté, et rien n'est gardé : {said}.")
