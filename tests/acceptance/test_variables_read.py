"""Each service starts and answers with only the variables that ``read_by`` gives it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from service import Running

from albert.deploy.plan import Kind
from albert.deploy.variables import read_by, readers

pytestmark = pytest.mark.acceptance

FIXTURES = Path(__file__).parents[1] / "fixtures"
RECORDING = """
import sys
from albert.settings import Settings

seen = open(sys.argv.pop(1), "a", buffering=1)
plain = Settings.__getattribute__

def recorded(self, name):
    if name in Settings.model_fields:
        seen.write(name + "\\n")
    return plain(self, name)

Settings.__getattribute__ = recorded

from albert.cli.main import main

main()
"""
"""The program, writing down the name of each setting that it reads."""


@dataclass(frozen=True)
class Service:
    kind: Kind
    port: int
    variables: Mapping[str, str]
    seen: Path

    @property
    def settings_read(self) -> set[str]:
        return set(self.seen.read_text("ascii").split())

    def answers(self, path: str, key: str, body: object = None) -> int:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        asked = Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        try:
            with urlopen(asked, timeout=60) as answer:  # noqa: S310 — ours
                return int(answer.status)
        except HTTPError as error:
            return error.code


class Recorded(Running):
    """A verb of the program, as ``service.Running`` runs it, but recording."""

    def __init__(self, seen: Path, env: dict[str, str], *verb: str, ready: str) -> None:
        self._ready, self.said = ready, ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", RECORDING, str(seen), *verb],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def bare(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables and nothing else, but where programs are and how they speak."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return {**kept, **variables}


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory, smollm2: Path) -> dict[str, str]:
    """An environment that says something to everybody."""
    folder = tmp_path_factory.mktemp("environment")
    table = folder / "table.json"
    entry = {"driver": "llama.cpp", "file": str(smollm2), "engine": {"context": 512}}
    table.write_text(json.dumps({"smol": entry}), "utf-8")
    return {
        "ENV": "test",
        "ALBERT_HOME": str(folder / "home"),
        "ALBERT_ROUTING_TABLE": str(table),
        "ALBERT_LOG_FORMAT": "json",
        "ALBERT_EMBED_THREADS": "1",
        "ALBERT_DRAIN_SECONDS": "1",
        "STORAGE_PATH": str(folder / "models"),
        "SECRET_KEY": "0f6b2c7d9e1a4835b0c2d4e6f8a1b3c5",
        "LLM_API_KEY": "cle-du-modele",
        "EMBEDDINGS_API_KEY": "cle-des-vecteurs",
        "ALBERT_METRICS_KEY": "cle-des-mesures",
        "HF_TOKEN": "jeton",
        "SMTP_PASSWORD": "mot-de-passe",
        "COMPOSE_PROJECT_NAME": "albert",
        "GITLAB_PASSWORD": "gitlab",
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port: int = chosen.getsockname()[1]
        return port


VERBS: dict[str, tuple[Kind, list[str], str]] = {
    "embeddings": ("embeddings", ["serve", "embeddings"], "répond sur"),
    "llm": ("llm", ["serve", "llm", "smol"], "est servi sur"),
    "gateway": ("api", ["serve", "gateway"], "La passerelle répond sur"),
    "api": ("api", ["serve", "api"], "Albert répond sur"),
    "up": ("api", ["up"], "Albert répond sur"),
}


@pytest.fixture(scope="module", params=VERBS)
def service(
    request: pytest.FixtureRequest, values: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    kind, verb, ready = VERBS[request.param]
    seen = tmp_path_factory.mktemp("seen") / "settings"
    port = free_port()
    given = read_by(kind, values)
    if kind == "api" and verb != ["serve", "gateway"]:
        learn(given, verb)
    place = {"ALBERT_PORT": str(port)} if verb == ["up"] else {}
    option = [] if place else ["--port", str(port)]
    running = Recorded(seen, bare({**given, **place}), *verb, *option, ready=ready)
    try:
        running.wait_ready(120)
        yield Service(kind, port, given, seen)
    finally:
        running.interrupt()


def learn(variables: Mapping[str, str], verb: list[str]) -> None:
    """Learn the smallest corpus, or bring home what ``albert up`` would go and fetch."""
    sheets = ("corpus", "fetch", "service-public", "--from", str(FIXTURES / "service-public/xml"))
    others = ("corpus", "fetch", "travail-emploi", "--from", str(FIXTURES / "travail-emploi"))
    learnt = (("corpus", "build"), ("index", "build"))
    for words in (sheets, *((others,) if verb == ["up"] else learnt)):
        command = [sys.executable, "-m", "albert", *words]
        subprocess.run(command, env=bare(variables), check=True, capture_output=True, timeout=120)


def test_a_service_answers_to_its_own_key_alone(service: Service, values: dict[str, str]) -> None:
    home = Path(values["ALBERT_HOME"])
    key = {
        "embeddings": lambda: values["EMBEDDINGS_API_KEY"],
        "llm": lambda: values["LLM_API_KEY"],
        "api": lambda: (home / "secrets" / "api-key").read_text("ascii").strip(),
    }[service.kind]()
    assert service.answers("/v1/models", key) == 200
    assert service.answers("/v1/models", "une-autre") == 401


def test_a_service_reads_no_setting_that_it_is_not_given(service: Service) -> None:
    read = service.settings_read
    assert {"home", "log_format", "drain_seconds"} <= read
    assert {name for name in read if service.kind not in readers(name)} == set()


def test_a_service_is_not_given_what_others_read(service: Service) -> None:
    secrets = {"SMTP_PASSWORD", "SECRET_KEY", "LLM_API_KEY", "EMBEDDINGS_API_KEY"}
    own = {
        "embeddings": {"EMBEDDINGS_API_KEY"},
        "llm": {"LLM_API_KEY"},
        "api": {"SMTP_PASSWORD", "SECRET_KEY"},
    }[service.kind]
    assert set(service.variables) & secrets == own
    assert not set(service.variables) & {"GITLAB_PASSWORD", "HF_TOKEN", "COMPOSE_PROJECT_NAME"}
