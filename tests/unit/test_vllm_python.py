"""Where vLLM is: the entry says it, else the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from albert.bootstrap.table import table_of
from albert.settings import load


@pytest.mark.parametrize(
    ("driver", "said", "found"),
    [
        ("vllm", {}, "/srv/vllm/bin/python"),
        ("vllm", {"python": "/autre/python"}, "/autre/python"),
        ("llama.cpp", {}, ""),
    ],
)
def test_an_entry_of_vllm_that_says_no_python_takes_the_machine_s(
    tmp_path: Path, driver: str, said: dict[str, str], found: str
) -> None:
    table = tmp_path / "table.json"
    entry = {"driver": driver, "hf_repo_id": "a/b", "engine": said}
    table.write_text(json.dumps({"albert-light": entry}))
    settings = load(
        {"ALBERT_ROUTING_TABLE": str(table), "ALBERT_VLLM_PYTHON": "/srv/vllm/bin/python"}
    )
    (model,) = table_of(settings)
    assert model.engine.python == found
