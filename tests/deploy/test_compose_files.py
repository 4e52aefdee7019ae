"""Compose files judged by the specification's schema, and read by the programs that run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / ".venv" / "deploy"
SCHEMA = DEPLOY / "npm" / "node_modules" / "dclint" / "schemas" / "compose.schema.json"
DATABASES = ROOT / "contrib" / "compose" / "databases.yml"
TABLE = {
    "albert-light": {
        "hf_repo_id": "AgentPublic/albert-light",
        "engine": {"gpu_memory_share": 0.4},
        "replicas": [{"host": "10.0.0.2"}, {"host": "gpu2.exemple.fr", "key_variable": "CLE_GPU2"}],
    },
    "petit": {
        "driver": "llama.cpp",
        "hf_repo_id": "AgentPublic/petit",
        "replicas": [{"host": "localhost", "port": 8002}],
    },
    "e5": {
        "driver": "embedded",
        "type": "embeddings",
        "replicas": [{"host": "localhost", "port": 8001}],
    },
}
SECRET = "a$b${c} #d"  # noqa: S105 — all that Compose could take for something else
VARIABLES = f"""
POSTGRES_HOST=localhost
POSTGRES_PASSWORD='Zq8Kx-v2Lm9Rt4Wp'
SECRET_KEY=5e1f9ac07b3d4826a8c0f1b2d3e4a596
FIRST_ADMIN_PASSWORD=Wm4tVz9KqXr2Hd8s
LLM_API_KEY='{SECRET}'
CLE_GPU2=cle-de-gpu2
EMBEDDINGS_API_KEY=cle-des-vecteurs
STORAGE_PATH=/srv/modeles
ALBERT_ROUTING_TABLE=table.json
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three machines: one of the API, two with a card."""
    folder = tmp_path_factory.mktemp("rendu")
    (folder / "table.json").write_text(json.dumps(TABLE))
    (folder / "environments").mkdir()
    (folder / "environments" / "essai.env").write_text(VARIABLES)
    command = [sys.executable, "-m", "albert", "deploy", "render", "essai"]
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
    return folder / "build" / "essai"


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", **more}


def compose_program() -> Path:
    return next(DEPLOY.glob("lib/python3*/site-packages/compose/docker-compose"))


def read_by(program: str | Path, file: Path, *words: str) -> str:
    done = subprocess.run(
        [program, "-f", file, *words],
        env=environment(POSTGRES_PASSWORD=SECRET),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(rendered: Path) -> list[Path]:
    return [DATABASES, *sorted(rendered.glob("*/compose.yml"))]


def test_each_file_is_what_the_specification_describes(rendered: Path) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    judge = jsonschema.Draft7Validator(schema)
    found = files(rendered)
    assert len(found) == 4
    for file in found:
        judge.validate(yaml.safe_load(file.read_text("utf-8")))


def test_docker_compose_reads_each_with_all_its_profiles(rendered: Path) -> None:
    for file in files(rendered):
        read_by(compose_program(), file, "--profile", "*", "config", "--quiet")


def test_podman_compose_reads_each(rendered: Path) -> None:
    for file in files(rendered):
        read_by(DEPLOY / "bin" / "podman-compose", file, "config")


def test_a_secret_of_any_form_reaches_its_service_as_it_is(rendered: Path) -> None:
    said = read_by(
        compose_program(), rendered / "10.0.0.2" / "compose.yml", "config", "--format", "json"
    )
    service: dict[str, Any] = json.loads(said)["services"]["llm-albert-light"]
    assert service["environment"]["LLM_API_KEY"] == SECRET.replace(
        "$", "$$"
    )  # as Compose writes it


def test_postgresql_keeps_its_data_where_the_image_has_its_volume() -> None:
    said = read_by(compose_program(), DATABASES, "config", "--format", "json")
    service = json.loads(said)["services"]["postgresql"]
    assert [volume["target"] for volume in service["volumes"]] == ["/var/lib/postgresql"]
    assert service["environment"]["PGDATA"] == "/var/lib/postgresql/18/docker"
    assert service["environment"]["POSTGRES_PASSWORD"] == SECRET.replace("$", "$$")


def test_search_engines_wait_for_their_profile() -> None:
    program = compose_program()
    assert read_by(program, DATABASES, "config", "--services").split() == ["postgresql"]
    said = read_by(program, DATABASES, "--profile", "search", "config", "--services")
    assert set(said.split()) == {"postgresql", "elasticsearch", "qdrant"}
