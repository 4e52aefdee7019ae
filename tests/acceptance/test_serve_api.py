"""``albert serve api``: several workers on one folder and one database, which learn nothing."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from replicas import Process, free_port, replicas
from service import ROOT, Running, environment

pytestmark = pytest.mark.acceptance

__all__ = ["replicas"]  # a fixture

PATIENCE = 60.0
QUESTION = "Comment remplacer une boussole égarée ?"


def sheet(name: str, title: str, text: str) -> str:
    return f"""<Publication xmlns:dc="http://purl.org/dc/elements/1.1/" ID="{name}" type="Fiche">
<dc:title>{title}</dc:title>
<dc:date>modified 2020-03-02</dc:date>
<Texte><Chapitre><Titre><Paragraphe>{title}</Paragraphe></Titre>
<Paragraphe>{text}</Paragraphe></Chapitre></Texte></Publication>"""


FIRST = sheet("F10027", "Passeport abîmé", "Pour remplacer un passeport abîmé, allez en mairie.")
SECOND = sheet("F10028", "Boussole égarée", "Pour remplacer une boussole égarée, GRPZ la donne.")


def albert(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "albert", *words],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def learn(env: dict[str, str], folder: Path, *sheets: str) -> None:
    """What the timer does, with these sheets for the publisher's."""
    files = folder / "sheets" / "particuliers"
    files.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(sheets):
        (files / f"F1002{7 + number}.xml").write_text(text, "utf-8")
    for words in (
        ("corpus", "fetch", "service-public", "--from", str(files.parent)),
        ("corpus", "build"),
        ("index", "build"),
    ):
        done = albert(env, *words)
        assert done.returncode == 0, done.stderr


class Worker(Running):
    def __init__(self, env: dict[str, str]) -> None:
        port = str(free_port())
        super().__init__(env, "serve", "api", "--port", port)
        self.address = f"http://127.0.0.1:{port}"


@pytest.fixture
def env(tmp_path: Path, database_uri: str) -> dict[str, str]:
    return environment(tmp_path / "home") | {"POSTGRES_URI": database_uri}


@dataclass(frozen=True)
class Place:
    """A folder where one sheet is learnt, and the sheet's file beside it."""

    folder: Path
    env: dict[str, str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, module_database_uri: str) -> Place:
    folder = tmp_path_factory.mktemp("place")
    env = environment(folder / "home") | {"POSTGRES_URI": module_database_uri}
    learn(env, folder, FIRST)
    return Place(folder, env)


@pytest.fixture(scope="module")
def pair(place: Place) -> Iterator[tuple[Worker, Worker]]:
    """Two workers, started at once where nobody served before; the last that asks stops one."""
    with ExitStack() as stack:
        two = Worker(place.env), Worker(place.env)
        for worker in two:
            stack.callback(worker.interrupt)
        for worker in two:
            worker.wait_ready(PATIENCE)
        yield two


async def found(worker: Worker, key: str, question: str) -> str:
    body = {"name": "chunks", "query": question, "limit": 3}
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as client,
        client.post(f"{worker.address}/api/v2/indexes", json=body) as response,
    ):
        said = await response.text()
        assert response.status == 200, said
        return said


def key_of(env: dict[str, str]) -> str:
    return (Path(env["ALBERT_HOME"]) / "secrets" / "api-key").read_text("ascii").strip()


def test_the_key_of_the_first_administrator_is_not_shown(pair: tuple[Worker, Worker]) -> None:
    assert all("albert-" not in worker.said.replace("albert-extractif", "") for worker in pair)


def test_running_workers_find_what_a_new_index_holds(
    pair: tuple[Worker, Worker], place: Place
) -> None:
    key = key_of(place.env)
    for worker in pair:
        assert "GRPZ" not in asyncio.run(found(worker, key, QUESTION))

    learn(place.env, place.folder, FIRST, SECOND)

    async def until_found(worker: Worker) -> None:
        async with asyncio.timeout(PATIENCE):
            while "GRPZ" not in await found(worker, key, QUESTION):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    for worker in pair:
        asyncio.run(until_found(worker))


def test_a_worker_that_leaves_takes_nothing_from_the_other(
    pair: tuple[Worker, Worker], place: Place
) -> None:
    leaving, staying = pair
    assert leaving.interrupt() == 0
    assert "F10027" in asyncio.run(found(staying, key_of(place.env), "Passeport abîmé"))


def test_a_model_without_a_host_is_asked_at_its_port_and_not_launched(
    place: Place, tmp_path: Path, replicas: tuple[Process, Process]
) -> None:
    table = tmp_path / "table.json"
    entry = {"driver": "llama.cpp", "file": "m.gguf", "replicas": [{"port": replicas[0].port}]}
    table.write_text(json.dumps({"m": entry}))
    worker = Worker(place.env | {"ALBERT_ROUTING_TABLE": str(table)})
    try:
        worker.wait_ready(PATIENCE)
        assert worker.children() == []
        assert '"one!"' in asyncio.run(answered(worker, key_of(place.env)))
    finally:
        worker.interrupt()


async def answered(worker: Worker, key: str) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as client,
        client.post(f"{worker.address}/v1/chat/completions", json=body) as response,
    ):
        return await response.text()


SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"  # noqa: S105 — of this test


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"POSTGRES_URI": ""}, "lancez « albert corpus fetch »"),
        ({"POSTGRES_URI": "", "ENV": "prod", "SECRET_KEY": SECRET}, "donnez POSTGRES_HOST"),
        ({"ENV": "prod"}, "SECRET_KEY"),
        ({"ALBERT_MODEL": "m.gguf"}, "ne lance aucun moteur"),
    ],
)
def test_a_worker_that_could_not_serve_says_what_to_do(
    env: dict[str, str], settings: dict[str, str], told: str
) -> None:
    done = albert(env | settings, "serve", "api")
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert told in sentence
