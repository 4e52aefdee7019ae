"""The guide's one command: a model downloaded from a hub, then served by its engine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import hub_double
import pytest

pytestmark = pytest.mark.acceptance

SCRIPT = Path(__file__).parents[2] / "utils" / "launch_local_llm.sh"


def environment(tmp_path: Path, hub: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    return {**kept, "ALBERT_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port: int = chosen.getsockname()[1]
        return port


def completed(port: int) -> str:
    body = json.dumps({"prompt": "Hello", "max_tokens": 3}).encode()
    asked = Request(
        f"http://127.0.0.1:{port}/v1/completions", body, {"content-type": "application/json"}
    )
    with urlopen(asked, timeout=60) as answer:  # noqa: S310 — our own address
        return str(json.load(answer)["choices"][0]["text"])


def serves(file: str, tmp_path: Path, hub: str) -> None:
    """Launch the file by the script, have it answer, and stop it."""
    port = free_port()
    words = ["-s", "models", "-r", "AgentPublic/tiny-albert", "-d", "gpt4all"]
    with subprocess.Popen(
        ["bash", SCRIPT, *words, "-p", str(port), "-m", file],
        cwd=tmp_path,
        env=environment(tmp_path, hub),
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as running:
        try:
            end = time.monotonic() + 120
            text = ""
            while not text:
                assert running.poll() is None
                assert time.monotonic() < end
                try:
                    text = completed(port)
                except URLError:  # not yet listening, or 503 while the engine loads
                    time.sleep(0.1)
        finally:
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said


def test_a_model_is_downloaded_then_served(smollm2: Path, tmp_path: Path) -> None:
    with hub_double.serving() as hub:
        hub.put("AgentPublic/tiny-albert", {"tiny.gguf": smollm2.read_bytes()})
        serves("tiny.gguf", tmp_path, hub.address)
    assert list((tmp_path / "models").glob("*tiny-albert*/tiny.gguf"))


def test_a_file_of_this_machine_is_served_and_nothing_is_downloaded(
    smollm2: Path, tmp_path: Path
) -> None:
    serves(str(smollm2), tmp_path, "http://127.0.0.1:1")
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize(
    ("driver", "storage", "said"),
    [
        ("vllm", "models", "ALBERT_VLLM_PYTHON"),
        ("llama.cpp", "models", "arrêtez-le, ou changez --port"),
        ("gpt4all", "a-file/models", "« a-file/models » ne peut pas être le dossier des modèles"),
    ],
)
def test_what_cannot_be_served_is_not_downloaded(
    driver: str, storage: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "a-file").touch()
    words = ["-s", storage, "-r", "AgentPublic/tiny-albert", "-d", driver]
    with hub_double.serving() as hub, socket.create_server(("127.0.0.1", 0)) as taken:
        hub.put("AgentPublic/tiny-albert", {"tiny.gguf": b"GGUF"})
        port = taken.getsockname()[1] if driver == "llama.cpp" else free_port()
        done = subprocess.run(
            ["bash", SCRIPT, *words, "-p", str(port)],
            cwd=tmp_path,
            env=environment(tmp_path, hub.address),
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert hub.asked == []
    assert not (tmp_path / "models").exists()


def test_a_file_of_the_time_before_gguf_gets_the_way_out(tmp_path: Path) -> None:
    name = "ggml-model-expert-q4_K.bin"
    words = ["-s", "models", "-r", "AgentPublic/tiny-albert", "-d", "gpt4all"]
    with hub_double.serving() as hub:
        hub.put("AgentPublic/tiny-albert", {name: b"tjgg" + bytes(10_000)})
        done = subprocess.run(
            ["bash", SCRIPT, *words, "-p", str(free_port()), "-m", name],
            cwd=tmp_path,
            env=environment(tmp_path, hub.address),
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert "GGJT" in done.stderr
    assert "GGUF" in done.stderr
    assert "Traceback" not in done.stderr
