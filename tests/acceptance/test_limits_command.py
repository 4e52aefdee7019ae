"""``albert limits``, ``albert user limits`` and ``albert usage``, from the shell."""

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


def albert(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    return subprocess.run(
        [sys.executable, "-m", "albert", *words],
        env={**kept, "ALBERT_HOME": str(home), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def right(home: Path, *words: str) -> str:
    done = albert(home, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def refused(home: Path, *words: str) -> str:
    done = albert(home, *words)
    assert (done.returncode, done.stdout) == (1, "")
    [sentence] = done.stderr.splitlines()
    return sentence


def test_limits_are_said_shown_and_unsaid(tmp_path: Path) -> None:
    home = tmp_path / "home"
    right(home, "user", "create", "camille", "camille@exemple.fr", "--generate")

    assert right(home, "limits", "show") == ""
    right(home, "limits", "set", "member", "--requests-minute", "60", "--tokens-day", "200000")
    right(home, "limits", "set", "member", "--model", "mistral", "--streams", "2")
    lifted = right(home, "user", "limits", "Camille", "--requests-minute", "illimité", "--json")
    assert json.loads(lifted) == [{"model": "", "kind": "tokens_day", "most": 200000}]

    [role, model, account] = json.loads(right(home, "limits", "show", "--json"))
    assert (role["role"], role["requests_minute"], role["streams"]) == ("member", 60, None)
    assert (model["model"], model["streams"]) == ("mistral", 2)
    assert (account["user"], account["requests_minute"]) == ("camille", -1)

    right(home, "user", "limits", "camille", "--requests-minute", "défaut")
    right(home, "limits", "set", "member", "--clear")
    assert json.loads(right(home, "limits", "show", "--json")) == []


def test_a_limit_of_an_alias_is_the_models_own(tmp_path: Path) -> None:
    home, table = tmp_path / "home", tmp_path / "table.json"
    table.write_text('{"m": {"driver": "llama.cpp", "file": "m.gguf", "aliases": ["a"]}}')
    routed = {"ALBERT_ROUTING_TABLE": str(table)}

    done = albert(home, "limits", "set", "member", "--model", "a", "--streams", "2", **routed)
    assert "« a » est un autre nom de « m »" in done.stderr
    [limit] = json.loads(right(home, "limits", "show", "--json"))
    assert (limit["model"], limit["streams"]) == ("m", 2)

    done = albert(home, "limits", "set", "member", "--model", "x", "--streams", "2", **routed)
    assert "« x » n'est pas dans la table" in done.stderr


def test_a_mistake_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "nommez une limite" in refused(home, "limits", "set", "member")
    assert "« illimité »" in refused(home, "limits", "set", "member", "--streams", "-3")
    assert "Aucun compte" in refused(home, "user", "limits", "personne")
    assert "day, model" in refused(home, "usage", "--by", "week")
    assert "2026-01-31" in refused(home, "usage", "--since", "hier")
    assert "Aucun compte" in refused(home, "usage", "--user", "personne")


def test_usage_of_nobody_is_told_as_such(tmp_path: Path) -> None:
    told = json.loads(right(tmp_path / "home", "usage", "--json"))
    assert (told["lines"], told["total"]["requests"]) == ([], 0)
