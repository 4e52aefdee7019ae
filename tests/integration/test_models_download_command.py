"""``albert models download`` and ``list``, as their user types them, against a local hub."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import hub_double
import pytest
from hub_double import HubDouble, gguf, held, safetensors

from albert.serving.store import ModelStore

pytestmark = pytest.mark.acceptance

LIGHT, TINY, E5 = "AgentPublic/albert-light", "AgentPublic/tiny-albert", "a/e5"
OLD, NEW = safetensors("old", octets=30_000_000), safetensors("new", octets=30_000_000)


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    with hub_double.serving() as running:
        running.put(LIGHT, {"config.json": b"{}", "model.safetensors": OLD})
        running.put(TINY, {"q4.gguf": gguf(word="q4"), "q8.gguf": gguf(word="q8")})
        running.put(E5, {"config.json": b"{}", "model.safetensors": safetensors("e5")})
        yield running


def environment(tmp_path: Path, hub: HubDouble, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    own = {"ALBERT_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.address}
    return {**kept, **own, "HOME": str(tmp_path), **more}


def albert(
    tmp_path: Path, hub: HubDouble, *words: str, program: str = "albert", **more: str
) -> subprocess.CompletedProcess[str]:
    run = ["-m", "albert"] if program == "albert" else ["-c", f"from albert.cli.{program}"]
    return subprocess.run(
        [sys.executable, *run, *words],
        env=environment(tmp_path, hub, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def earlier(tmp_path: Path, hub: HubDouble, *words: str, **more: str) -> str:
    done = albert(tmp_path, hub, *words, program="earlier import main; import sys; main()", **more)
    assert done.returncode == 0, done.stderr
    return done.stderr


def table(tmp_path: Path, **models: object) -> dict[str, str]:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(models), "utf-8")
    return {"ALBERT_ROUTING_TABLE": str(path)}


def begun(tmp_path: Path, hub: HubDouble, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "albert", "models", "download", *words],
        env=environment(tmp_path, hub),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "home" / "models")


def test_a_repository_is_downloaded_where_it_is_told(tmp_path: Path, hub: HubDouble) -> None:
    place = tmp_path / "elsewhere"
    words = ("models", "download", "--hf-repo-id", LIGHT)
    done = albert(tmp_path, hub, *words, f"--storage-dir={place}")
    assert done.returncode == 0, done.stderr
    assert f"{LIGHT} : téléchargé, 30,0 Mo, {place}" in done.stderr
    again = albert(tmp_path, hub, *words, STORAGE_PATH=str(place), HF_HUB_OFFLINE="1")
    assert f"{LIGHT} : déjà là" in again.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "home"]


def test_the_table_says_what_to_download_and_the_list_shows_it(
    tmp_path: Path, hub: HubDouble
) -> None:
    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    engine = HTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=engine.serve_forever, args=(0.01,), daemon=True).start()
    replicas = [{"host": "127.0.0.1", "port": engine.server_port}, {"host": "127.0.0.1", "port": 1}]
    given = table(
        tmp_path,
        light={"hf_repo_id": LIGHT, "embeddings_hf_repo_id": E5, "replicas": replicas},
        tiny={"driver": "gpt4all", "hf_repo_id": TINY, "file": "q8.gguf"},
    )
    try:
        assert albert(tmp_path, hub, "models", "download", "light", **given).returncode == 0
        rows = json.loads(albert(tmp_path, hub, "models", "list", "--json", **given).stdout)
        shown = albert(tmp_path, hub, "models", "list", **given).stdout.splitlines()
    finally:
        engine.shutdown()
        engine.server_close()
    states = {"light": ["sert", "arrêté"]}
    assert [(row["repo_id"], row["whole"], row["routed"]) for row in rows] == [
        (LIGHT, True, states),
        (E5, True, states),
        (TINY, False, {"tiny": ["local"]}),
    ]
    assert shown[0].startswith(f"{LIGHT} : 30,0 Mo, safetensors, ")
    assert shown[2] == f"{TINY} : pas sur le disque ; routé : tiny (local)"


def test_the_guides_form_downloads_all_of_the_table(tmp_path: Path, hub: HubDouble) -> None:
    given = table(
        tmp_path,
        light={"llm_hf_repo_id": LIGHT, "embeddings_hf_repo_id": E5},
        tiny={"driver": "gpt4all", "llm_hf_repo_id": TINY, "file": "q8.gguf"},
    )
    models = tmp_path / "models"
    said = earlier(
        tmp_path, hub, "download_model", f"--storage-dir={models}", "--hf-repo-id=", **given
    )
    assert "Nouveau nom : albert models download" in said
    found = {stored.manifest.repo_id: stored.path for stored in ModelStore(models).list()}
    assert set(found) == {LIGHT, E5, TINY}
    assert found[TINY].read_bytes() == gguf(word="q8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--hf-repo-id", TINY), "dites lequel, par --file"),
        (("--hf-repo-id", "nobody/none"), "n'est pas sur"),
        (("--hf-repo-id", "nobody"), "n'est pas sur"),
        (("--hf-repo-id", "a//b"), "organisation/modèle"),
        ((), "ALBERT_ROUTING_TABLE"),
        (("light",), "ALBERT_ROUTING_TABLE"),
        (("light", "--hf-repo-id", LIGHT), "pas les deux"),
        (("--file", "q4.gguf"), "nommez-le"),
    ],
)
def test_a_mistake_is_one_sentence(
    words: tuple[str, ...], sentence: str, tmp_path: Path, hub: HubDouble
) -> None:
    done = albert(tmp_path, hub, "models", "download", *words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_the_token_is_never_shown(tmp_path: Path, hub: HubDouble) -> None:
    hub.repositories[LIGHT].key = "hf_right"
    secret = {"HF_TOKEN": "hf_wrong", "HF_DEBUG": "1"}
    done = albert(tmp_path, hub, "models", "download", "--hf-repo-id", LIGHT, **secret)
    assert "HF_TOKEN" in done.stderr
    assert "hf_" not in done.stderr


def test_killed_at_any_moment_what_stood_stands_and_it_resumes(
    tmp_path: Path, hub: HubDouble
) -> None:
    words = ("--hf-repo-id", LIGHT)
    assert albert(tmp_path, hub, "models", "download", *words).returncode == 0
    repository = hub.repositories[LIGHT]
    chance = random.Random(20261125)  # noqa: S311  # moments to kill at, not secrets
    for turn, content in enumerate((NEW, OLD, NEW, OLD, NEW)):
        repository.commit = f"{turn}" * 40
        repository.files["model.safetensors"] = content
        before = len(hub.gets("model.safetensors"))
        child = begun(tmp_path, hub, *words, "--force")
        while len(hub.gets("model.safetensors")) == before and child.poll() is None:
            time.sleep(0.002)  # until it has begun
        time.sleep(chance.uniform(0, 0.3))
        child.kill()
        child.communicate()
        (stored,) = store(tmp_path).list()
        stored.check()
        assert stored.path.joinpath("model.safetensors").read_bytes() in (OLD, NEW)
    assert albert(tmp_path, hub, "models", "download", *words, "--force").returncode == 0
    (stored,) = store(tmp_path).list()
    assert stored.path.joinpath("model.safetensors").read_bytes() == NEW
    assert sorted(path.name for path in store(tmp_path).folder.joinpath(".partial").iterdir()) == [
        "AgentPublic--albert-light.lock"
    ]


def sizes(folder: Path) -> dict[str, int]:
    with contextlib.suppress(FileNotFoundError):  # a file is given its name just then
        return {path.name: path.stat().st_size for path in folder.iterdir()}
    return {}


def test_killed_in_the_middle_the_next_run_asks_for_the_rest(
    tmp_path: Path, hub: HubDouble
) -> None:
    reached, release = threading.Event(), threading.Event()
    hub.fail("model.safetensors", held(1_000_000, reached, release))
    child = begun(tmp_path, hub, "--hf-repo-id", LIGHT)
    assert reached.wait(60)
    part = tmp_path / "home" / "models" / ".partial" / "AgentPublic--albert-light"
    wanted = {hub_double.oid(b"{}"): 2, f"{hub_double.sha256(OLD)}.part": 3 * 262_144}
    while sizes(part) != wanted:
        assert child.poll() is None
        time.sleep(0.01)  # until what was sent is written, and the small file proven
    child.kill()
    child.communicate()
    release.set()
    assert store(tmp_path).list() == []
    assert albert(tmp_path, hub, "models", "download", "--hf-repo-id", LIGHT).returncode == 0
    assert hub.gets("model.safetensors")[-1].headers["Range"] == "bytes=786432-"
    assert len(hub.gets("config.json")) == 1


def test_ctrl_c_leaves_at_once_even_where_the_hub_is_silent(tmp_path: Path, hub: HubDouble) -> None:
    reached, release = threading.Event(), threading.Event()
    hub.fail("model.safetensors", held(1_000_000, reached, release))
    child = begun(tmp_path, hub, "--hf-repo-id", LIGHT)
    assert reached.wait(60)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=8)  # less than the library's own patience
    release.set()
    assert child.returncode == 130
    assert "Traceback" not in said


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))


def test_a_full_disk_is_told_and_what_stood_there_stands(tmp_path: Path, hub: HubDouble) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", str(disk)]).returncode:
        pytest.skip("mounting a small disk needs root")
    words = ("models", "download", "--hf-repo-id", LIGHT, f"--storage-dir={disk}")
    try:
        assert albert(tmp_path, hub, *words).returncode == 0
        hub.repositories[LIGHT].commit = "beef" * 10
        hub.repositories[LIGHT].files["model.safetensors"] = NEW
        ahead = albert(tmp_path, hub, *words, "--force")
        assert (ahead.returncode, "Il faut 30,0 Mo et il reste" in ahead.stderr) == (1, True)
        reached, release = threading.Event(), threading.Event()
        (disk / "AgentPublic--albert-light" / "model.safetensors").unlink()
        hub.fail("model.safetensors", held(1_000_000, reached, release), hub_double.cut(10**9))
        child = begun(tmp_path, hub, *words[2:])
        try:
            assert reached.wait(60)
            fill(disk / "fill")
            release.set()
            _, said = child.communicate(timeout=60)
        finally:
            child.kill()
        assert child.returncode == 1
        assert "Le disque est plein" in said
        left = [path.name for path in (disk / ".partial").iterdir()]
        assert left == ["AgentPublic--albert-light.lock"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
