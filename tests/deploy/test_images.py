"""The images of api, embeddings and models on the processor: built, looked into, run and asked.

The one of vLLM wants a graphics card: it is linted only (``test_dockerfile.py``).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from containers import IMAGES, MARK, ROOT, Store

pytest_plugins = ("built_images",)

every_image = pytest.mark.parametrize("image", [f"albert/{name}:test" for name in IMAGES])
KEY = "cle-du-service"
LISTED = "${Package} ${Version}\n"
SMALLEST = "/models/smollm2.gguf"
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or "") or 0)
"""


def packages(files: Path) -> Path:
    (found,) = (files / "opt/albert/lib").glob("python3*/site-packages")
    return found


def bill(files: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files / "opt/albert/share/sbom.cdx.json").read_text())
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder of the user of the images, in a place that it can reach."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    os.chown(folder, 10001, 10001)
    return folder


@every_image
def test_an_image_says_how_it_is_run_stopped_and_watched(containers: Store, image: str) -> None:
    (said,) = json.loads(containers.podman("image", "inspect", image))
    config = said["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["tini", "--", "albert"]
    assert config["Cmd"][:2] == ["serve", image.partition("/")[2].partition(":")[0]]
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["Volumes"]) == ["/var/lib/albert"]
    assert len(config["ExposedPorts"]) == 1
    assert "python3" in said["Healthcheck"]["Test"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == metadata.version("albert")
    assert labels["org.opencontainers.image.base.name"] == "localhost/base:12"


@pytest.mark.parametrize(
    ("image", "most"), [("api", 700), ("embeddings", 700), ("llm", 800)], ids=lambda said: str(said)
)
def test_an_image_holds_what_it_runs_and_little_else(
    containers: Store, image: str, most: int
) -> None:
    size = containers.podman("image", "inspect", "--format", "{{.Size}}", f"albert/{image}:test")
    print(f"{image}: {int(size) / 1e6:.0f} MB")  # noqa: T201 — the figure of the guide
    assert int(size) < most * 1_000_000


@every_image
def test_an_image_can_neither_build_nor_install(containers: Store, image: str) -> None:
    with containers.mounted(image) as files:
        found = {path.name for path in files.glob("**/bin/*")}
        assert not found & {"pip", "pip3", "gcc", "cc", "make", "curl", "wget", "hatchling"}
        assert not (packages(files) / "pip").exists()
        assert not list(files.glob("usr/lib/python3*/ensurepip"))


@every_image
def test_no_program_of_an_image_changes_its_user(containers: Store, image: str) -> None:
    with containers.mounted(image) as files:
        tall = [
            path
            for folder, _, names in os.walk(files)
            for path in (Path(folder, name) for name in names)
            if path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)
        ]
    assert not tall


@every_image
def test_albert_is_compiled_once_and_for_all(containers: Store, image: str) -> None:
    with containers.mounted(image) as files:
        albert = packages(files) / "albert"
        sources = {path.stem for path in albert.glob("*.py")}
        compiled = list((albert / "__pycache__").glob("*.pyc"))
        assert {path.name.partition(".")[0] for path in compiled} == sources
        # the flags of PEP 552: by its content, which is not looked at again
        assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\x00\x00\x00"}


@every_image
def test_nothing_of_what_a_build_was_given_is_kept(containers: Store, image: str) -> None:
    assert MARK not in containers.podman("image", "inspect", image)
    assert MARK not in containers.podman("history", "--no-trunc", image)
    with containers.mounted(image) as files:
        searched = ["grep", "--recursive", "--files-with-matches", "--fixed-strings", MARK]
        found = subprocess.run([*searched, files], capture_output=True, text=True, check=False)
        assert (found.returncode, found.stdout) == (1, "")


def test_the_bill_of_materials_is_valid_cyclonedx(containers: Store) -> None:
    python = ROOT / ".venv" / "deploy" / "bin" / "python"
    with containers.mounted("albert/llm:test") as files:  # it has all that the others have
        judged = subprocess.run(
            [python, "-c", VALIDATE],
            input=json.dumps(bill(files)),
            capture_output=True,
            text=True,
            check=False,
        )
    assert judged.returncode == 0, judged.stderr


@every_image
def test_the_bill_of_materials_names_all_that_is_installed(containers: Store, image: str) -> None:
    with containers.mounted(image) as files:
        told = {(one["name"].lower(), one["version"]) for one in bill(files)["components"]}
        python = {
            (one.name.lower(), one.version)
            for one in metadata.distributions(path=[str(packages(files))])
        }
        listed = subprocess.run(
            [
                "dpkg-query",
                "--admindir",
                files / "var/lib/dpkg",
                "-W",
                "-f",
                "${Package} ${Version}\n",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    debian = {tuple(line.split()) for line in listed.stdout.splitlines()}
    assert ("albert", metadata.version("albert")) in python
    assert "tini" in {name for name, _ in debian}
    assert told == python | debian


@every_image
def test_any_verb_runs_in_an_image(containers: Store, image: str, home: Path) -> None:
    done = containers.once(image, "--version", home=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"albert {metadata.version('albert')}"
    assert not list(home.iterdir())


@pytest.mark.parametrize(("image", "key"), [("embeddings", "EMBEDDINGS_API_KEY")])
def test_a_service_without_its_key_says_which(
    containers: Store, home: Path, image: str, key: str
) -> None:
    done = containers.once(f"albert/{image}:test", home=home)
    assert done.returncode == 1
    assert key in done.stderr
    assert "Traceback" not in done.stderr


def test_embeddings_answer_on_a_read_only_root_and_stop_when_told(containers: Store) -> None:
    options = ("--env", f"EMBEDDINGS_API_KEY={KEY}")
    with containers.running("albert/embeddings:test", options=options) as service:
        service.wait_healthy()
        assert service.ask(8001, "/health")[0] == 200
        body = {"model": "multilingual-e5-small", "input": "le passeport"}
        assert service.ask(8001, "/v1/embeddings", body)[0] == 401
        status, answer = service.ask(8001, "/v1/embeddings", body, KEY)
        assert status == 200
        assert len(answer["data"][0]["embedding"]) == 384
        assert service.terminate() == 0


def test_a_health_check_follows_the_port_and_fails_when_nobody_answers(containers: Store) -> None:
    options = ("--env", f"EMBEDDINGS_API_KEY={KEY}", "--env", "PROBE_PORT=9000")
    image, host = "albert/embeddings:test", ("--host", "0.0.0.0")  # noqa: S104 — the container's own
    words = ("serve", "embeddings", *host, "--port", "9000")
    with containers.running(image, *words, options=options) as service:
        service.wait_healthy()
    with containers.running(image, options=options) as service:  # it listens on 8001
        while service.store.run_podman("exec", service.name, "true").returncode:
            pass
        assert not service.healthy()


def test_a_model_on_the_processor_writes_and_stops_when_told(
    containers: Store, smollm2: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(smollm2, models / "smollm2.gguf")
    options = ("--env", f"LLM_API_KEY={KEY}", "-v", f"{models}:/models:ro")
    host = ("--host", "0.0.0.0")  # noqa: S104 — the container's own
    words = ("serve", "llm", "smollm2", "--file", SMALLEST, *host)
    with containers.running("albert/llm:test", *words, options=options) as service:
        service.wait_healthy()
        assert service.ask(8000, "/health")[0] == 200
        body = {"prompt": "Once upon a time", "max_tokens": 8}
        assert service.ask(8000, "/generate", body)[0] == 401
        status, answer = service.ask(8000, "/generate", body, KEY)
        assert status == 200
        assert answer["text"][0].strip()
        assert service.terminate() == 0


def test_the_api_answers_on_what_its_image_learnt_and_stops_when_told(
    containers: Store, home: Path
) -> None:
    image = "albert/api:test"
    for words in (
        ("corpus", "fetch", "service-public", "--from", "/fixtures/service-public/json"),
        ("corpus", "fetch", "travail-emploi", "--from", "/fixtures/travail-emploi"),
        ("corpus", "build"),
        ("index", "build", "--wait", "all"),
    ):
        done = containers.once(image, *words, home=home)
        # 3: a sheet is malformed, as one of the fixtures is on purpose
        assert done.returncode in (0, 3), done.stderr
    assert {path.stat().st_uid for path in home.rglob("*")} == {10001}
    with containers.running(image, options=("-v", f"{home}:/var/lib/albert")) as service:
        service.wait_healthy()
        assert service.ask(8090, "/health/ready") == (200, {"status": "ok"})
        status, told = service.ask(8090, "/health")
        assert status == 200
        assert told["index"]["sheets"] == 6
        asked = {"name": "chunks", "query": "renouveler un passeport", "limit": 3}
        assert service.ask(8090, "/api/v2/indexes", asked)[0] == 401
        key = (home / "secrets" / "api-key").read_text().strip()
        status, found = service.ask(8090, "/api/v2/indexes", asked, key)
        assert (status, len(found)) == (200, 3), found
        assert service.terminate() == 0
