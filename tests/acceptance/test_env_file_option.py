"""``albert --env-file FILE VERB``: the file's variables are settings, and the environment's win.

Save for a deployment, which has what its file says and nothing else.
"""

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


@pytest.fixture
def deployed(env_file: Path) -> Path:
    """The same, with what a deployment asks for, under its environment's name."""
    more = {
        "ENV": "essai",
        "SECRET_KEY": "f3c1-un-secret-tire-au-sort-0123456789",
        "FIRST_ADMIN_PASSWORD": "k7fqz-41xw-pn9v-tgb2",
        "POSTGRES_HOST": "db.exemple.fr",
        "POSTGRES_PASSWORD": "un-autre-secret-tire-au-sort",
        "IMAGE_TAG": "1.2.3",
    }
    kept = [line for line in env_file.read_text("utf-8").splitlines() if "ALBERT_HOME" not in line]
    env_file.write_text("\n".join([*kept, *(f"{k}={v}" for k, v in more.items()), ""]), "utf-8")
    return env_file


def test_the_file_said_before_a_verb_is_that_of_the_deployment(deployed: Path) -> None:
    output = deployed.with_name("rendu")
    words = ("deploy", "render", "essai", "--output", str(output))
    done = run("--env-file", str(deployed), *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "albert/api:1.2.3" in (output / "localhost/compose.yml").read_text("utf-8")


def test_the_file_said_after_the_verb_wins(deployed: Path) -> None:
    other = deployed.with_name("autre.env")
    other.write_text("ENV=autre\n", "utf-8")
    done = run("--env-file", str(deployed), "deploy", "render", "essai", "--env-file", str(other))
    assert f"{other} dit ENV=autre, non essai" in done.stderr


def test_a_verb_that_demands_a_file_has_the_one_said_before_it(deployed: Path) -> None:
    deployed.write_text("ENV=essai\nALBERT_PORT=rien\n", "utf-8")
    done = run("--env-file", str(deployed), "deploy", "systemd", "--dry-run")
    assert "ALBERT_PORT" in done.stderr


def test_a_deployment_does_not_depend_on_who_launches_it(deployed: Path) -> None:
    output = deployed.with_name("rendu")
    words = ("deploy", "render", "essai", "--output", str(output))
    table = str(deployed.with_name("du-processus.json"))
    done = run("--env-file", str(deployed), *words, IMAGE_TAG="9.9.9", ALBERT_ROUTING_TABLE=table)
    assert (done.returncode, done.stderr) == (0, "")
    rendered = "".join(one.read_text("utf-8") for one in output.rglob("*") if one.is_file())
    assert "albert/api:1.2.3" in rendered
    assert "du-fichier" in rendered
    assert "9.9.9" not in rendered
    assert "du-processus" not in rendered


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
