"""The SQL of pg_restore, run on a connection that is in a transaction of ours.

psql would be a process of its own, and so a transaction of its own.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import asyncpg

_COPY = re.compile(rb"COPY (?P<table>\S+) \((?P<columns>.*)\) FROM stdin;\n")
_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\s".,()]+)')
_FOR_PSQL = (b"\\restrict ", b"\\unrestrict ")
_TOO_RECENT = b"SET transaction_timeout"
"""PostgreSQL 16 and older do not know it; without it there is no limit either."""
_BATCH = 1 << 18


async def run(connection: asyncpg.Connection, pieces: AsyncIterator[bytes]) -> None:
    """Run a script of pg_restore, whose pieces are cut anywhere.

    Raises:
        asyncpg.PostgresError: PostgreSQL refuses a part of it.
    """
    lines = _lines(pieces)
    waiting: list[bytes] = []
    async for line in lines:
        if copy := _COPY.fullmatch(line):
            await _execute(connection, waiting)
            await _copy(connection, copy, lines)
        elif not line.startswith((*_FOR_PSQL, _TOO_RECENT)):
            waiting.append(line)
    await _execute(connection, waiting)


async def _execute(connection: asyncpg.Connection, waiting: list[bytes]) -> None:
    if any(line.strip() and not line.startswith(b"--") for line in waiting):
        await connection.execute(b"".join(waiting).decode())  # it fails on remarks alone
    waiting.clear()


async def _copy(
    connection: asyncpg.Connection, copy: re.Match[bytes], lines: AsyncIterator[bytes]
) -> None:
    *schema, table = _names(copy["table"])
    await connection.copy_to_table(
        table,
        schema_name=schema[0] if schema else None,
        columns=_names(copy["columns"]),
        source=_rows(lines),
    )


async def _rows(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give the rows up to the line that ends them, many at a time."""
    batch, size = [], 0
    async for line in lines:
        if line == b"\\.\n":
            break
        batch.append(line)
        size += len(line)
        if size >= _BATCH:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest


def _names(said: bytes) -> list[str]:
    """Return the identifiers of a list, as they are without quotes."""
    found = _NAME.findall(said.decode())
    return [quoted.replace('""', '"') or plain for quoted, plain in found]
