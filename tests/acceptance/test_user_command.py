"""``albert user``: accounts and tokens from the shell, without the service."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance


@pytest.fixture(autouse=True)
def shared_server(database_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of the run's own server: each command would start one, and stop it."""
    monkeypatch.setenv("POSTGRES_URI", database_uri)


def user(home: Path, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    return subprocess.run(
        [sys.executable, "-m", "albert", "user", *words],
        env={**kept, "ALBERT_HOME": str(home)},
        input=given or "",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def right(home: Path, *words: str, given: str | None = None) -> str:
    done = user(home, *words, given=given)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(home: Path, *words: str, given: str | None = None) -> str:
    done = user(home, *words, given=given)
    assert (done.returncode, done.stdout) == (1, "")
    [sentence] = done.stderr.splitlines()
    return sentence


def test_an_administrator_is_created_given_a_token_and_another_password(tmp_path: Path) -> None:
    home = tmp_path / "home"
    password = "Bon-mot-2-passe"  # noqa: S105 — of this test

    shown = right(home, "create", "chef", "Chef@Exemple.fr", "--admin", "--generate")
    assert len(shown) == 24
    given = right(home, "create", "camille", "c@exemple.fr", "--password-stdin", given=password)
    assert given == ""

    listed = json.loads(right(home, "list", "--json"))
    assert [(one["username"], one["email"], one["is_admin"]) for one in listed] == [
        ("chef", "Chef@exemple.fr", True),
        ("camille", "c@exemple.fr", False),
    ]
    assert "hash" not in str(listed)

    token = right(home, "token", "camille", "--new", "poste")
    assert token.startswith("albert-")
    assert right(home, "token", "CAMILLE").startswith("poste\t")
    right(home, "token", "c@exemple.fr", "--revoke", token)
    assert right(home, "token", "camille") == ""
    assert right(home, "reset-password", "camille", "--generate") != password


def test_an_account_is_erased_only_when_that_is_confirmed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    right(home, "create", "camille", "camille@exemple.fr", "--generate")
    assert "--yes" in refused(home, "erase", "camille")
    right(home, "erase", "camille", "--yes")
    assert right(home, "list") == ""
    assert "Aucun compte" in refused(home, "erase", "camille", "--yes")


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "home"
    right(home, "create", "camille", "camille@exemple.fr", "--generate")

    taken = refused(home, "create", "CAMILLE", "autre@exemple.fr", "--generate")
    assert "a déjà un compte" in taken
    assert "nom@domaine.fr" in refused(home, "create", "a", "b", "--generate")
    assert "sans « @ »" in refused(home, "create", "a@b.fr", "a@b.fr", "--generate")
    assert "--generate" in refused(home, "create", "a", "a@b.fr")
    short = refused(home, "create", "a", "a@b.fr", "--password-stdin", given="court\n")
    assert "de 8 à 128" in short
    assert "déjà été accepté" in refused(home, "confirm", "camille")
    assert "Aucun compte" in refused(home, "decline", "personne")
    assert "Aucun compte" in refused(home, "reset-password", "personne", "--generate")
    assert "signes parmi" in refused(home, "token", "camille", "--new", "a b")
    assert "Aucun de vos jetons" in refused(home, "token", "camille", "--revoke", "poste")


def test_a_link_is_kept_where_no_service_carries_mail_and_only_its_file_is_told(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    right(home, "create", "camille", "camille@exemple.fr", "--generate")

    done = user(home, "reset-password", "camille", "--mail")

    [file] = (home / "mail").iterdir()
    assert str(file) in done.stderr
    assert "reset-password?token" not in done.stderr
