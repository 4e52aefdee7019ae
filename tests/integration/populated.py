"""A database with something in every table, and what would trip a careless copy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

T = TypeVar("T")

AWKWARD = "tab\there, line\nthere, back\\slash, \\.\n\\N, ' \" ; COPY x (y) FROM stdin;\n🇫🇷 é"

ROWS = """
INSERT INTO users (username, email, is_admin, accept_cookie, accept_retrain)
    VALUES ('camille', 'camille@exemple.fr', true, false, false),
           ('voisine', 'voisine@exemple.fr', false, true, true);
INSERT INTO sign_ins (id, user_id, expires_at) VALUES (gen_random_uuid(), 1, now());
INSERT INTO password_resets VALUES ('digest', 1, now());
INSERT INTO sign_in_attempts VALUES ('digest', 3, now(), NULL);
INSERT INTO api_tokens VALUES ('digest', 2, 'poste', now(), NULL);
INSERT INTO chats (user_id, chat_name, chat_type, operators, themes)
    VALUES (1, $1, 'qa', ARRAY['a,b', 'c"d', NULL], '{}');
INSERT INTO streams (user_id, chat_id, model_name, query, "limit", context, institution,
                     links, temperature, state, prompt, response, finish, sources)
    VALUES (1, 1, 'm', $1, 7, '', '', '', 0.1, 'done', decode('00ff5c0a', 'hex'),
            repeat($1, 20000), jsonb_build_object('said', $1::text), NULL);
INSERT INTO stream_pieces VALUES (1, 0, $1), (1, 1, '');
INSERT INTO feedbacks (stream_id, user_id, type, positives, negatives, message)
    VALUES (1, 1, 'chat', '{}', '{}', $1);
INSERT INTO admin_reads (admin_id, owner_id, kind, object_id) VALUES (1, 2, 'chat', 1);
INSERT INTO limits (role, streams) VALUES ('user', 3);
INSERT INTO limit_counters VALUES (1, 'm', 'k', now(), 1, '{"a": 1}');
INSERT INTO usage VALUES (gen_random_uuid(), now(), 1, 'm', 'chat', false, 200,
                          'Infinity', 0, NULL, 1, 1, 0, '', 1, '', 0);
"""


def on(uri: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do something on a connection that is closed at the end."""

    async def run() -> T:
        connection = await asyncpg.connect(uri)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def populate(uri: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        for row in ROWS.strip().split(";\n"):
            await connection.execute(row, *([AWKWARD] if "$1" in row else []))

    on(uri, work)


def everything(uri: str) -> dict[str, list[str]]:
    """Return every row of every table, as text."""

    async def work(connection: asyncpg.Connection) -> dict[str, list[str]]:
        names = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        return {
            name: [
                row[0]
                for row in await connection.fetch(f'SELECT t::text FROM "{name}" t ORDER BY 1')  # noqa: S608
            ]
            for (name,) in names
        }

    return on(uri, work)


def execute(uri: str, command: str) -> None:
    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute(command)

    on(uri, work)
