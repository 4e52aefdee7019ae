"""An environment's services, rendered and run by Docker Compose with Albert's own images."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from compose_engine import ContainerEngine
    from containers import Store

pytest_plugins = ("compose_engine",)

ROOT = Path(__file__).parents[2]
FICHES = """<Publication xmlns:dc="http://purl.org/dc/elements/1.1/" ID="F10027" type="Fiche">
<dc:title>Passeport abîmé</dc:title><dc:date>modified 2020-03-02</dc:date>
<Texte><Chapitre><Titre><Paragraphe>Passeport abîmé</Paragraphe></Titre>
<Paragraphe>Pour remplacer un passeport abîmé, allez en mairie.</Paragraphe></Chapitre></Texte>
</Publication>"""
PREPARE = (
    "albert db migrate && albert corpus fetch service-public --from {fiches} "
    "&& albert corpus build && albert whitelist build && albert index build"
)
NEIGHBOUR = (
    "import http.client; to = http.client.HTTPConnection('embeddings-e5', 8001); "
    "to.request('GET', '/health'); print(to.getresponse().status)"
)
PROJECT = "albert-services"


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def ready(port: int) -> int:
    to = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    to.request("GET", "/health/ready")
    status = to.getresponse().status
    to.close()
    return status


@dataclass(frozen=True)
class Deployed:
    """A folder from which an environment is deployed."""

    engine: ContainerEngine
    folder: Path
    ports: list[int]

    def albert(self, *words: str) -> subprocess.CompletedProcess[str]:
        words = (sys.executable, "-m", "albert", "deploy", *words)
        return self.engine.run(*words, where=self.folder, timeout=900)

    def compose(self, *words: str) -> str:
        file = str(self.folder / "build" / "essai" / "localhost" / "compose.yml")
        return self.engine.said("docker", "compose", "-f", file, *words, timeout=600)


@pytest.fixture(scope="module")
def deployed(
    engine: ContainerEngine,
    containers: Store,
    postgres_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    """The databases run, and the services are rendered and prepared."""
    del containers  # it built the images
    folder = tmp_path_factory.mktemp("essai")
    ports = free_ports(3)
    fiches = folder / "fiches" / "particuliers"
    fiches.mkdir(parents=True)
    (fiches / "F10027.xml").write_text(FICHES, "utf-8")
    for one in (fiches.parent, fiches):
        one.chmod(0o755)
    table = {"e5": {"driver": "embedded", "type": "embeddings"}}
    table["e5"]["replicas"] = [{"host": "localhost", "port": 8001}]  # type: ignore[assignment]
    (folder / "table.json").write_text(json.dumps(table))
    (folder / "environments").mkdir()
    env_file = folder / "environments" / "essai.env"
    env_file.write_text(
        f"POSTGRES_HOST=localhost\nPOSTGRES_PASSWORD='Zq8$Kx#v2 Lm9Rt4'\nPOSTGRES_PORT={ports[2]}\n"
        "SECRET_KEY=5e1f9ac07b3d4826a8c0f1b2d3e4a596\nFIRST_ADMIN_PASSWORD=Wm4tVz9KqXr2Hd8s\n"
        f"EMBEDDINGS_API_KEY=cle-des-vecteurs\nAPI_PORTS={ports[0]},{ports[1]}\n"
        f"ALBERT_ROUTING_TABLE=table.json\nALBERT_CORPUS_FROM={fiches.parent}\n"
        f"COMPOSE_FILE={ROOT}/contrib/compose/databases.yml\nCOMPOSE_PROJECT_NAME={PROJECT}\n"
        f"IMAGE_NAME=localhost/albert\nIMAGE_TAG=test\nPOSTGRES_IMAGE={postgres_image}\n",
        "utf-8",
    )
    made = Deployed(engine, folder, ports)
    bases = ("docker", "compose", f"--env-file={env_file}")
    engine.said(*bases, "up", "--detach", where=folder)
    try:
        engine.wait_healthy(f"{PROJECT}-postgresql-1")
        done = made.albert("render", "essai")
        assert done.returncode == 0, done.stderr
        prepare = PREPARE.format(fiches=fiches.parent)
        made.compose(
            *("--profile", "setup", "run", "--rm", "--no-TTY", "--entrypoint", "sh"),
            *("setup", "-euc", prepare),
        )
        yield made
    finally:
        made.albert("down", "essai")
        engine.run(*bases, "down", "--volumes", where=folder)


@pytest.fixture(scope="module")
def running(deployed: Deployed) -> Deployed:
    done = deployed.albert("up", "essai")
    assert done.returncode == 0, done.stdout + done.stderr
    return deployed


def test_up_waits_until_both_sets_of_the_api_answer(running: Deployed) -> None:
    assert [ready(port) for port in running.ports[:2]] == [200, 200]


def test_status_shows_each_service_with_its_health_and_its_port(running: Deployed) -> None:
    done = running.albert("status", "essai")
    first, second = running.ports[:2]
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [
        ["embeddings-e5", "tourne", "bonne"],
        [f"api-{first}", "tourne", "bonne", f"127.0.0.1:{first}"],
        [f"api-{second}", "tourne", "bonne", f"127.0.0.1:{second}"],
    ]
    assert done.returncode == 0


def test_the_api_calls_the_model_beside_it_by_its_service_s_name(running: Deployed) -> None:
    api = f"api-{running.ports[0]}"
    said = running.compose("exec", "--no-TTY", api, "python3", "-Ic", NEIGHBOUR)
    assert said.strip() == "200"


def test_a_password_with_a_dollar_and_a_number_sign_reaches_the_service(running: Deployed) -> None:
    api = f"api-{running.ports[0]}"
    said = running.compose("exec", "--no-TTY", api, "printenv", "POSTGRES_PASSWORD")
    assert said.rstrip("\n") == "Zq8$Kx#v2 Lm9Rt4"


def test_logs_are_those_of_the_service_that_is_named(running: Deployed) -> None:
    done = running.albert("logs", "essai", f"api-{running.ports[0]}", "--tail", "50")
    assert f":{running.ports[0]}" in done.stdout
    assert "embeddings-e5" not in done.stdout


def test_after_down_the_data_are_there_and_a_port_that_is_taken_is_told_first(
    running: Deployed,
) -> None:
    assert running.albert("down", "essai").returncode == 0
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", running.ports[1]))
        other.listen()
        done = running.albert("up", "essai")
    assert done.returncode == 1
    assert f"Un autre programme écoute déjà sur le port {running.ports[1]}" in done.stderr
    assert running.compose("ps", "--all", "--quiet") == ""
    assert running.albert("up", "essai").returncode == 0  # what was learnt is still there
