"""``albert serve llm`` and the guide's command, as an operator runs them, with a real engine."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "utils" / "launch_local_llm.sh"


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    return {**kept, "ALBERT_HOME": str(home), **more}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port: int = chosen.getsockname()[1]
        return port


class Served:
    def __init__(self, home: Path, *words: str, **more: str) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "albert", "serve", "llm", *words, "--port", str(self.port)],
            env=environment(home, **more),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.said = ""

    def read_until(self, words: str) -> None:
        end = time.monotonic() + 60
        assert self._process.stderr is not None
        while words not in self.said:
            ready, _, _ = select.select([self._process.stderr], [], [], end - time.monotonic())
            assert ready, self.said
            piece = os.read(self._process.stderr.fileno(), 65536)
            assert piece, self.said
            self.said += piece.decode()

    def wait_healthy(self) -> None:
        """Ask until the engine has generated its first token: it tells nobody else."""
        end = time.monotonic() + 60
        while self.status("/health") != 200:
            assert time.monotonic() < end, self.said
            time.sleep(0.05)

    def status(self, path: str) -> int:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except URLError:
            return 0

    def complete(self, key: str = "") -> str:
        body = json.dumps({"prompt": "Hello", "max_tokens": 3}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        asked = Request(f"http://127.0.0.1:{self.port}/v1/completions", body, headers)
        with urlopen(asked, timeout=60) as answer:  # noqa: S310 — our own address
            return str(json.load(answer)["choices"][0]["text"])

    def children(self) -> list[int]:
        told = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        return [int(pid) for pid in told.split()]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self._process.send_signal(number)
        assert self._process.stderr is not None
        status = self._process.wait(30)
        self.said += self._process.stderr.read().decode()
        self._process.stderr.close()
        return status


def alive(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def table(smollm2: Path, tmp_path: Path) -> Path:
    path = tmp_path / "table.json"
    entry = {"driver": "gpt4all", "file": str(smollm2), "engine": {"context": 512}}
    other = {"driver": "openai", "replicas": [{"host": "https://ailleurs.exemple.fr/v1"}]}
    path.write_text(json.dumps({"smol": entry, "loin": other}), "utf-8")
    return path


@pytest.fixture
def served(table: Path, tmp_path: Path) -> Iterator[Served]:
    running = Served(tmp_path / "home", "smol", "--table", str(table))
    yield running
    running.end()


def test_a_model_of_the_table_is_served_and_survives_the_death_of_its_engine(
    served: Served,
) -> None:
    served.wait_healthy()
    assert served.complete()
    (engine,) = served.children()
    os.kill(engine, signal.SIGKILL)
    served.read_until("répond de nouveau")
    assert served.complete()


def test_a_model_is_said_to_be_served_once_it_is(served: Served) -> None:
    served.read_until("est servi sur")
    assert served.status("/health") == 200


def test_ctrl_c_ends_the_engine_too(table: Path, tmp_path: Path) -> None:
    running = Served(tmp_path / "home", "smol", "--table", str(table))
    running.wait_healthy()
    children = running.children()
    assert running.end() == 0
    assert "Traceback" not in running.said
    assert not [child for child in children if alive(child)]


def test_a_service_killed_with_9_leaves_no_engine(table: Path, tmp_path: Path) -> None:
    running = Served(tmp_path / "home", "smol", "--table", str(table))
    running.wait_healthy()
    children = running.children()
    running.end(signal.SIGKILL)
    end = time.monotonic() + 20
    while [child for child in children if alive(child)]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_with_a_key_nobody_else_is_served(table: Path, tmp_path: Path) -> None:
    running = Served(tmp_path / "home", "smol", "--table", str(table), LLM_API_KEY="clef-de-test")
    running.wait_healthy()
    assert running.complete("clef-de-test")
    with pytest.raises(HTTPError) as refused:
        running.complete("une-autre")
    refused.value.close()
    assert refused.value.code == 401
    assert running.end() == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "donnez-la par --table"),
        (["absent", "--table", "TABLE"], "il y a smol, loin"),
        (["loin", "--table", "TABLE"], "qui ne lance rien"),
        (["smol", "--table", "TABLE", "--host", "::"], "LLM_API_KEY"),
        (["--file", "absent.gguf", "--driver", "llama.cpp"], "n'existe pas"),
        (["--hf-repo-id", "a/b", "--driver", "llama.cpp"], "albert models download"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    table: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    given = [str(table) if word == "TABLE" else word for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "albert", "serve", "llm", *given],
        env=environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "il manque -s"),
        ("-s D", "il faut -r"),
        ("-s D -r sans-barre -p 8000 -d vllm", "il faut -r"),
        ("-s D -r a/b -p 70000 -d vllm", "il faut -p"),
        ("-s D -r a/b -p 8000 -d ollama", "il faut -d"),
        ("-s D -r a/b -p 8000 -d vllm -m x.gguf", "-m n'a de sens"),
        ("-s D -r a/b -p", "-p veut une valeur"),
        ("-z", "-z n'existe pas"),
    ],
)
def test_the_guides_command_says_how_it_is_used(tmp_path: Path, words: str, told: str) -> None:
    done = subprocess.run(
        ["bash", SCRIPT, *words.split()], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Usage" in done.stderr
    assert not list(tmp_path.iterdir())
