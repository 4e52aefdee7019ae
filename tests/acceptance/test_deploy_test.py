"""``albert deploy test`` against real services: what it sees, and what it does not let pass."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from service import ROOT, Running, environment
from test_serve_api import Worker, learn, sheet

pytestmark = pytest.mark.acceptance

SHEET = sheet("F10027", "Passeport", "Pour demander un passeport, prenez rendez-vous en mairie.")
ACCOUNT = {"FIRST_ADMIN_USERNAME": "admin", "FIRST_ADMIN_PASSWORD": "Bon-mot-2-passe"}


def ask(
    address: str, variables: dict[str, str], folder: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    file = folder / "test.env"
    file.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "albert", "deploy", "test", address),
            *("--env-file", str(file), *more),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    for name, value in variables.items():
        assert "PASSWORD" not in name or value not in done.stdout + done.stderr
    return done


def outcomes(said: str) -> dict[str, str]:
    """The mark of each line, by what was checked."""
    lines = [line for line in said.splitlines() if line[:2] in ("✓ ", "✗ ", "– ")]
    return {line[2:].partition(" (")[0]: line[0] for line in lines}


@pytest.fixture(scope="module")
def parrot() -> Iterator[str]:
    """An engine that repeats what it is told: it writes any link that one likes."""
    program = [sys.executable, str(Path(__file__).parent / "parrot.py")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


class Api:
    """One worker as it is deployed, on a sheet that answers what is asked by default."""

    def __init__(self, folder: Path, database: str, parrot: str) -> None:
        table = folder / "table.json"
        parrots = {"driver": "openai", "replicas": [{"host": parrot}]}
        table.write_text(json.dumps({"parrot": parrots}))
        self.variables = {**ACCOUNT, "ALBERT_ROUTING_TABLE": str(table)}
        env = environment(folder / "home") | self.variables | {"POSTGRES_URI": database}
        learn(env, folder, SHEET)
        self.process = Worker(env)
        self.process.wait_ready(60)
        self.address = self.process.address


@pytest.fixture(scope="module")
def api(
    tmp_path_factory: pytest.TempPathFactory, module_database_uri: str, parrot: str
) -> Iterator[Api]:
    one = Api(tmp_path_factory.mktemp("albert"), module_database_uri, parrot)
    try:
        yield one
    finally:
        one.process.interrupt()


def test_an_api_that_works_passes_every_check(api: Api, tmp_path: Path) -> None:
    done = ask(api.address, api.variables, tmp_path, "--junit", str(tmp_path / "r" / "junit.xml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done.stdout) == {
        "santé": "✓",
        "sans jeton, rien n'est ouvert": "✓",
        "un mauvais mot de passe est refusé": "✓",
        "connexion": "✓",
        "modèles": "✓",
        "réponse de albert-extractif": "✓",
        "flux de albert-extractif": "✓",
        "réponse de parrot": "✓",
        "flux de parrot": "✓",
        "vecteurs de multilingual-e5-small": "✓",
        "une question, avec ses sources": "✓",
        "un lien inventé est masqué": "✓",
        "déconnexion": "✓",
    }
    assert "parrot l'a écrit, il est masqué" in done.stdout
    suite = ElementTree.parse(tmp_path / "r" / "junit.xml").getroot()  # noqa: S314 — our own
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "13", "0")


def test_it_leaves_neither_chat_nor_token(api: Api, tmp_path: Path) -> None:
    ask(api.address, api.variables, tmp_path)
    query = (
        "import asyncio, sys; from albert.client import AsyncAlbert\n"
        "async def main():\n"
        "    async with AsyncAlbert(sys.argv[1]) as albert:\n"
        "        await albert.sign_in(sys.argv[2], sys.argv[3])\n"
        "        tokens = [t.name for t in await albert.tokens.list() if 'sonde' in t.name]\n"
        "        print(len(await albert.chats.list()), tokens)\n"
        "asyncio.run(main())"
    )
    said = subprocess.run(
        [sys.executable, "-c", query, api.address, *ACCOUNT.values()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "0 []\n"


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"FIRST_ADMIN_PASSWORD": "Un-autre-2-passe"}, "connexion"),
        ({"FIRST_ADMIN_USERNAME": ""}, "connexion"),
    ],
)
def test_an_account_that_cannot_enter_fails(
    api: Api, tmp_path: Path, changed: dict[str, str], failed: str
) -> None:
    done = ask(api.address, {**api.variables, **changed}, tmp_path)
    assert done.returncode == 1
    assert outcomes(done.stdout)[failed] == "✗"


def test_a_model_of_the_table_that_is_not_offered_fails(api: Api, tmp_path: Path) -> None:
    table = tmp_path / "other.json"
    elsewhere = {"driver": "openai", "replicas": [{"host": "http://127.0.0.1:9/v1"}]}
    table.write_text(json.dumps({"absent": elsewhere}))
    done = ask(api.address, {**api.variables, "ALBERT_ROUTING_TABLE": str(table)}, tmp_path)
    assert done.returncode == 1
    assert "La table nomme absent, que le service n'offre pas." in done.stdout


def test_a_question_without_sources_fails(api: Api, tmp_path: Path) -> None:
    done = ask(api.address, api.variables, tmp_path, "--question", "Qui a gagné le match hier ?")
    assert done.returncode == 1
    assert outcomes(done.stdout)["une question, avec ses sources"] == "✗"


def test_nobody_there_fails_without_a_traceback(tmp_path: Path) -> None:
    done = ask("http://127.0.0.1:9", ACCOUNT, tmp_path, "--timeout", "0.1")
    assert done.returncode == 1
    assert "le service ne répond pas" in done.stdout


def test_an_address_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    done = ask("albert.exemple.fr", ACCOUNT, tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "Erreur : L'adresse commence par http:// ou https://.\n",
    )


def test_the_service_of_vectors_passes_its_checks(tmp_path: Path) -> None:
    env = environment(tmp_path / "home") | {"EMBEDDINGS_API_KEY": "k" * 40}
    port = env["ALBERT_PORT"]
    service = Running(env, "serve", "embeddings", "--port", port, ready="/v1")
    try:
        service.wait_ready(60)
        address = f"http://127.0.0.1:{port}"
        done = ask(address, {"EMBEDDINGS_API_KEY": "k" * 40}, tmp_path, "--part", "embeddings")
        assert done.returncode == 0, done.stdout
        assert outcomes(done.stdout) == {
            "santé": "✓",
            "sans clé, rien n'est ouvert": "✓",
            "vecteurs de questions": "✓",
            "vecteurs de passages": "✓",
            "classement": "✓",
        }
        assert "384 dimensions, norme 1.000" in done.stdout
        wrong = ask(address, {"EMBEDDINGS_API_KEY": "x" * 40}, tmp_path, "--part", "embeddings")
        assert wrong.returncode == 1
    finally:
        service.interrupt()


def test_the_service_of_a_model_passes_its_checks(tmp_path: Path, smollm2: Path) -> None:
    env = environment(tmp_path / "home") | {"LLM_API_KEY": "k" * 40}
    port = env["ALBERT_PORT"]
    words = ("serve", "llm", "--file", str(smollm2), "--driver", "llama.cpp", "--port", port)
    service = Running(env, *words, ready="/v1")
    try:
        service.wait_ready(120)
        done = ask(f"http://127.0.0.1:{port}", {"LLM_API_KEY": "k" * 40}, tmp_path, "--part", "llm")
        assert outcomes(done.stdout) == {
            "santé": "✓",
            "sans clé, rien n'est ouvert": "✓",
            "modèles": "✓",
            "réponse": "✓",
            "flux": "✓",
            "vecteurs": "–",
        }, done.stdout
    finally:
        service.interrupt()


def test_a_silent_service_is_told_as_late(tmp_path: Path, api: Api) -> None:
    os.kill(api.process.pid, signal.SIGSTOP)
    try:
        done = ask(api.address, api.variables, tmp_path, "--timeout", "0.1")
    finally:
        os.kill(api.process.pid, signal.SIGCONT)
    assert done.returncode == 1
    assert "pas de réponse à temps" in done.stdout
