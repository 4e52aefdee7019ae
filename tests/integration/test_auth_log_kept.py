"""What guessing leaves in the authentication log, with real accounts."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from albert.api.app import create_app
from albert.api.auth_log import AppendedLines, AuthLog
from albert.testing.services import Answered, ask, scripted, with_database

pytestmark = pytest.mark.integration

WRONG = "Mauvais-mot-2-passe"


def told(uri: str, path: Path, *calls: tuple[str, object]) -> tuple[list[int], list[str]]:
    """Make these calls, and return their statuses and the events of the log."""
    services = replace(with_database(scripted(), uri), auth_log=AuthLog(AppendedLines(path)))
    app = create_app(services)

    async def story() -> list[Answered]:
        await app.open()
        try:
            return [
                await ask(app, "POST", f"/api/v2/{route}", body, key=None) for route, body in calls
            ]
        finally:
            await app.close()

    answers = asyncio.run(story())
    kept = path.read_text("ascii") if path.exists() else ""
    return [one.status for one in answers], [line.split()[1] for line in kept.splitlines()]


def test_a_wrong_password_leaves_a_line_and_one_more_where_it_must_wait(
    database_uri: str, tmp_path: Path
) -> None:
    guess = ("sign_in", {"username": "camille", "password": WRONG})
    path = tmp_path / "auth.log"

    assert told(database_uri, path, *[guess] * 6) == (
        [400] * 5 + [429],
        ["sign_in_refused"] * 5 + ["sign_in_locked"],
    )
    assert "camille" not in path.read_text()
    assert WRONG not in path.read_text()


def test_a_reset_link_that_opens_nothing_leaves_a_line(database_uri: str, tmp_path: Path) -> None:
    guess = ("reset_password", {"token": "devine", "password": "Nouveau-mot-2-passe"})

    assert told(database_uri, tmp_path / "auth.log", guess) == ([400], ["reset_refused"])


def test_a_form_that_cannot_be_read_is_no_guess(database_uri: str, tmp_path: Path) -> None:
    assert told(database_uri, tmp_path / "auth.log", ("sign_in", b"{")) == ([422], [])
