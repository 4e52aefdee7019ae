"""The page of the client, run from top to bottom as one program."""

from __future__ import annotations

import asyncio
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from http_served import served

from albert.api.app import create_app
from albert.api.database.engine import Database
from albert.client import errors
from albert.testing.services import enrol, scripted, with_database

pytestmark = pytest.mark.integration

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")
EXAMPLE = re.compile(r"```python\n(.*?)```(?:(?:(?!```).)*?```text\n(.*?)```)?", re.DOTALL)


def key_of_an_admin(uri: str) -> str:
    async def enrolled() -> str:
        database = Database(uri)
        await database.open()
        try:
            return await enrol(database, "chef", admin=True)
        finally:
            await database.close()

    return asyncio.run(enrolled())


def test_every_example_prints_what_the_page_says(
    database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "secrets" / "api-key"
    key.parent.mkdir()
    key.write_text(key_of_an_admin(database_uri) + "\n", "ascii")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    examples = EXAMPLE.findall(PAGE)
    assert len(examples) == PAGE.count("```python") == PAGE.count("```text") == 7
    with served(create_app(with_database(scripted(), database_uri))) as address:
        for code, expected in examples:
            said = StringIO()
            here = code.replace("http://127.0.0.1:8090", address)
            here = here.replace("~/.local/share/albert", str(tmp_path))
            with redirect_stdout(said):
                exec(here, names)  # noqa: S102 — our own page
            assert said.getvalue().rstrip("\n") == expected.rstrip("\n")


def test_every_error_is_on_the_page() -> None:
    kinds = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.ClientError)
    }
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([A-Z]\w+)`", table)) == kinds
