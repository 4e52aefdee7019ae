"""How many statements a piece of code asks of a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from albert.api.database.engine import Database


@contextmanager
def queries(database: Database) -> Iterator[list[str]]:
    """Give a list that receives each statement sent while the block runs.

    Neither BEGIN nor COMMIT is in it. A route that lists things sends as many
    statements for one of them as for twenty.
    """
    sent: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def checked_out(database: Database) -> int:
    """Return how many connections are in use: none while a model writes, none between requests."""
    return int(getattr(database.engine.sync_engine.pool, "checkedout")())  # noqa: B009 — of this kind of pool alone
