"""What a supervisor is made of: pauses, the journal, the environment, options, refusals."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from test_gguf import model, written

from albert.domain.errors import InferenceError, ModelFileInvalid
from albert.routing.table import Engine, RoutedModel
from albert.serving.engine_log import EngineLog
from albert.serving.engines.contract import Order
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.engines.unable import refusal
from albert.serving.patience import Patience, Pauses
from albert.serving.scrubbed import scrubbed


def test_pauses_double_up_to_their_ceiling() -> None:
    pauses = Pauses(Patience(pause=1, longest_pause=5))
    assert [pauses.after(0) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_life_that_lasted_begins_again_with_the_shortest_pause() -> None:
    pauses = Pauses(Patience(pause=1, longest_pause=60, stable=100))
    assert [pauses.after(served) for served in (0, 99, 100, 0)] == [1, 2, 1, 2]


def followed(log: EngineLog, *pieces: bytes, secret: str = "") -> str:
    async def scenario() -> None:
        stream = asyncio.StreamReader()
        for piece in pieces:
            stream.feed_data(piece)
        stream.feed_eof()
        await log.follow(stream, secret)

    asyncio.run(scenario())
    return log.file.read_text("utf-8")


def test_each_line_bears_the_name_of_its_model(tmp_path: Path) -> None:
    log = EngineLog(tmp_path / "a.log", "smol")
    assert followed(log, b"un\nde", b"ux\n\ntrois") == "smol | un\nsmol | deux\nsmol | trois\n"
    assert list(log.last) == ["un", "deux", "trois"]


def test_a_key_and_the_codes_of_terminals_do_not_reach_the_journal(tmp_path: Path) -> None:
    key = "s3"
    said = followed(EngineLog(tmp_path / "a.log", "m"), b"\x1b[31mkey=s3\n", secret=key)
    assert said == "m |  [31mkey=***\n"


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    said = followed(EngineLog(tmp_path / "a.log", "m"), b"x" * 100_000)
    assert all(len(line) < 2100 for line in said.splitlines())


def test_the_journal_keeps_within_its_bounds(tmp_path: Path) -> None:
    log = EngineLog(tmp_path / "a.log", "m", limit=100, kept=1)
    for number in range(30):
        asyncio.run(log.say(f"line {number}"))
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    assert max(sizes) <= 100
    assert "line 29" in log.file.read_text("utf-8")


def test_engines_get_what_programs_need_and_no_secret() -> None:
    given = {
        "PATH": "a",
        "HOME": "b",
        "LC_ALL": "c",
        "CUDA_VISIBLE_DEVICES": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_API_KEY": "s",
        "CLE_GPU1": "s",
        "HF_TOKEN": "s",
        "ALBERT_MODEL_KEY": "s",
        "POSTGRES_PASSWORD": "s",
        "SECRET_KEY": "s",
        "MJ_API_KEY": "s",
    }
    assert set(scrubbed(given)) == {
        *("PATH", "HOME", "LC_ALL", "CUDA_VISIBLE_DEVICES", "VLLM_CPU_KVCACHE_SPACE")
    }


def order(file: Path, **engine: object) -> Order:
    options = Engine.model_validate(engine)
    entry = RoutedModel(name="m", driver="llama.cpp", file=str(file), engine=options)
    return Order(model=entry, weights=file, port=1234, key="k" * 20)


def wanted(file: Path, **engine: object) -> dict[str, object]:
    launch = LlamaCppDriver().launch(order(file, **engine))
    assert not [word for word in launch.argv if "k" * 20 in word or str(file) in word]
    read: dict[str, object] = json.loads(launch.input)
    return read


def test_options_of_the_table_reach_llama_cpp(tmp_path: Path) -> None:
    said = wanted(
        written(tmp_path, model()),
        context=512,
        slots=3,
        threads=2,
        flags=["--n-gpu-layers=7", "swa_full", "rope_freq_scale=0.5", "--warmup=false"],
    )
    assert (said["window"], said["slots"], said["threads"]) == (512, 3, 2)
    assert said["flags"] == {
        "n_gpu_layers": 7,
        "swa_full": True,
        "rope_freq_scale": 0.5,
        "warmup": False,
    }


def test_the_window_is_that_of_the_model_at_most(tmp_path: Path) -> None:
    assert wanted(written(tmp_path, model()), context=9999)["window"] == 2048


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"gpu_memory_share": 0.5}, "engine.gpu_memory_share"),
        ({"tensor_parallel_size": 2}, "engine.tensor_parallel_size"),
        ({"dtype": "half"}, "engine.dtype"),
        ({"python": "python3"}, "engine.python"),
        ({"flags": ["--max-model-len=5"]}, "« --max-model-len »"),
        ({"flags": ["--path-prompts-log-dir=x"]}, "« --path-prompts-log-dir »"),
        ({"flags": ["n_batch=beaucoup"]}, "un nombre entier"),
    ],
)
def test_what_llama_cpp_does_not_know_is_refused_by_name(
    tmp_path: Path, options: dict[str, object], named: str
) -> None:
    with pytest.raises(InferenceError, match=named):
        LlamaCppDriver().check(order(written(tmp_path, model()), **options))


def test_a_folder_of_several_files_must_say_which(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(model())
    with pytest.raises(ModelFileInvalid, match=r"a\.gguf, b\.gguf"):
        LlamaCppDriver().check(order(tmp_path))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tools": [{}]}, "tools"),
        ({"tools": []}, None),
        ({"tool_choice": {"function": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": "required"}, None),
        ({"best_of": 1}, None),
        ({"best_of": 2}, "best_of"),
        ({"echo": True}, "echo"),
        ({"echo": False}, None),
    ],
)
def test_only_what_is_asked_for_is_refused(fields: dict[str, object], field: str | None) -> None:
    unable = {"tools": "t", "tool_choice.function": "c", "best_of": "b", "echo": "e"}
    refused = refusal(fields, unable)
    assert (refused and refused[0]) == field
