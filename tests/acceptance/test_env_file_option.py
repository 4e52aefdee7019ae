"""``albert --env-file FILE VERB``: the file's variables are settings, and the environment's win."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance


def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "albert", *words],
        env={**kept, **more},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Two tables, each with a model named after it; the file names the first."""
    for name in ("du-fichier", "du-processus"):
        entry = {"driver": "openai", "replicas": [{"host": "https://ia.exemple.fr/v1"}]}
        (tmp_path / f"{name}.json").write_text(json.dumps({name: entry}), "utf-8")
    path = tmp_path / "essai.env"
    path.write_text(
        f"# un environnement\nALBERT_HOME={tmp_path / 'home'}\n"
        f"ALBERT_ROUTING_TABLE='{tmp_path / 'du-fichier.json'}'\n"
        "API_PORTS=8090,8091\nCOMPOSE_PROJECT_NAME=albert\nGITLAB_PASSWORD=x\n",
        "utf-8",
    )
    return path


def test_a_verb_reads_the_variables_of_the_file(env_file: Path) -> None:
    done = run("--env-file", str(env_file), "models", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("du-fichier :")


def test_the_file_is_said_with_an_equals_sign_too(env_file: Path) -> None:
    done = run(f"--env-file={env_file}", "models", "check")
    assert done.stdout.startswith("du-fichier :")


def test_a_variable_of_the_process_wins_over_the_file(env_file: Path) -> None:
    table = env_file.with_name("du-processus.json")
    done = run("--env-file", str(env_file), "models", "check", ALBERT_ROUTING_TABLE=str(table))
    assert done.stdout.startswith("du-processus :")


def test_the_key_of_a_replica_comes_from_the_file(env_file: Path) -> None:
    table = {
        "loin": {
            "driver": "openai",
            "replicas": [{"host": "http://127.0.0.1:9/v1", "key_variable": "CLE_DU_LOIN"}],
        }
    }
    env_file.with_name("du-fichier.json").write_text(json.dumps(table), "utf-8")
    refused = run("--env-file", str(env_file), "ask", "--model", "loin", "Quoi ?")
    assert "CLE_DU_LOIN" in refused.stderr
    env_file.write_text(env_file.read_text("utf-8") + "CLE_DU_LOIN=abc\n", "utf-8")
    heard = run("--env-file", str(env_file), "ask", "--model", "loin", "Quoi ?")
    assert "CLE_DU_LOIN" not in heard.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ALBERT_PROT=1\n", "Le réglage ALBERT_PROT n'existe pas : vouliez-vous dire ALBERT_PORT"),
        ("ENV=dev\nALBERT PORT=1\n", "ligne 2 : il faut NOM=valeur."),
        (None, "ne peut pas être lu (il n'existe pas)"),
    ],
)
def test_a_file_that_is_wrong_is_one_sentence(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "faux.env"
    if text is not None:
        path.write_text(text, "utf-8")
    done = run("--env-file", str(path), "models", "list", ALBERT_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


def test_without_a_verb_the_help_is_shown(env_file: Path) -> None:
    done = run("--env-file", str(env_file))
    assert done.returncode == 2
    assert "Commandes :" in done.stdout
