"""``albert models``, as its user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

RIGHT = """{
  "light": {"hf_repo_id": "AgentPublic/albert-light", "replicas": [{"host": "gpu1"}]},
  "tiny": {"driver": "gpt4all", "file": "tiny.gguf"}
}
"""


def models(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    return subprocess.run(
        [sys.executable, "-m", "albert", "models", *words],
        env={**kept, "ALBERT_HOME": str(home), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_right_table_is_shown_a_model_a_line(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(RIGHT, "utf-8")
    done = models(tmp_path / "home", "check", ALBERT_ROUTING_TABLE=str(table))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "light : text-generation, vllm, http://gpu1:8000/v1",
        "tiny : text-generation, llama.cpp, ici",
    ]


def test_the_example_of_the_guide_is_a_right_table(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "contrib" / "llm_routing_table.json"
    done = models(tmp_path / "home", "check", str(example))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3


def test_a_wrong_table_is_told_line_by_line_without_a_traceback(tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(RIGHT.replace('"file"', '"fiel"'), "utf-8")
    done = models(tmp_path / "home", "check", str(table))
    assert done.returncode == 1
    assert "ligne 3 : « tiny », fiel : cette clé n'existe pas : vouliez-vous dire file ?" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["check"], ["check", "absente.json"], ["check", "."]])
def test_without_a_readable_table_one_sentence_names_the_fix(
    words: list[str], tmp_path: Path
) -> None:
    done = models(tmp_path / "home", *words)
    assert done.returncode == 1
    assert "ALBERT_ROUTING_TABLE" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_schema_is_json(tmp_path: Path) -> None:
    done = models(tmp_path / "home", "schema")
    assert json.loads(done.stdout)["title"] == "Table de routage d'Albert"
