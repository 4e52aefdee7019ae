"""Graphics cards, by a program named nvidia-smi that says what NVIDIA's says: no card is here.

Its lines were written by hand after its manual: one a card, values between commas, mebibytes.
"""

import json
import struct
from pathlib import Path

import pytest
from examined import found, levels

from albert.deploy.checks.finding import Finding
from albert.deploy.checks.gpu import OLDEST_DRIVER, check_gpu
from albert.routing.table import Engine, Replica, RoutedModel

H100 = "0, NVIDIA H100 PCIe, 81559, 81004, 580.95.05"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program, first on the path; a test writes what it does."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    says(program, H100)
    return program


def says(program: Path, *lines: str, status: int = 0) -> None:
    text = "\n".join(lines)
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")
    program.chmod(0o755)


def weights(folder: Path, octets: int) -> Path:
    """A model of one tensor, whose bytes are a hole in the file."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    told = {"w": {"dtype": "U8", "shape": [octets], "data_offsets": [0, octets]}}
    header = json.dumps(told).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + octets)
    return folder


def model(folder: Path, octets: int, name: str = "m", engine: Engine = Engine()) -> RoutedModel:
    return RoutedModel(name=name, file=str(weights(folder / name, octets)), engine=engine)


def look(home: Path, *models: RoutedModel, **more: str) -> list[Finding]:
    return found(check_gpu, {"ALBERT_HOME": str(home), **more}, *models)


def test_nvidia_smi_as_we_wrote_it_a_model_fits(smi: Path, tmp_path: Path) -> None:
    told = look(tmp_path, model(tmp_path, 14 * 10**9))
    assert levels(told) == ["ok", "ok"]
    assert told[0].said == "Carte 0 : NVIDIA H100 PCIe, 85,5 Go, dont 84,9 Go libres."
    assert "il y tient" in told[1].said


@pytest.mark.parametrize(
    ("octets", "engine", "level", "said"),
    [
        (90 * 10**9, {}, "error", "il n'y tient pas"),
        (75 * 10**9, {}, "warning", "il reste trop peu"),
        (30 * 10**9, {"gpu_memory_share": 0.3}, "error", "dans une part de 25,7 Go (0.3)"),
        (1, {"tensor_parallel_size": 2}, "error", "Ces modèles ne tiennent pas sur 1 carte"),
        (90 * 10**9, {"flags": ("--quantization=fp8",)}, "ok", "quantifié au chargement"),
    ],
)
def test_nvidia_smi_as_we_wrote_it_a_model_is_measured(
    octets: int, engine: dict[str, object], level: str, said: str, smi: Path, tmp_path: Path
) -> None:
    *_, finding = look(tmp_path, model(tmp_path, octets, engine=Engine.model_validate(engine)))
    assert finding.level == level
    assert said in finding.said


def test_nvidia_smi_as_we_wrote_it_two_cards_share_a_model(smi: Path, tmp_path: Path) -> None:
    says(smi, H100, "1, NVIDIA H100 PCIe, 81559, 81004, 580.95.05")
    large = model(tmp_path, 120 * 10**9, engine=Engine(tensor_parallel_size=2))
    told = look(tmp_path, large, GPU_COUNTS="2")
    assert levels(told) == ["ok", "ok", "ok"]
    assert "60,0 Go de poids par carte" in told[-1].said


def two_of(folder: Path, share: float) -> list[RoutedModel]:
    engine = Engine(gpu_memory_share=share)
    return [
        model(folder, 10**9, name, engine).model_copy(update={"replicas": (Replica(port=port),)})
        for name, port in (("a", 8000), ("b", 8001))
    ]


def test_nvidia_smi_as_we_wrote_it_shares_beyond_the_card_are_an_error(
    smi: Path, tmp_path: Path
) -> None:
    (said,) = [one.said for one in look(tmp_path, *two_of(tmp_path, 0.6)) if one.level == "error"]
    assert said.startswith("Ces modèles ne tiennent pas sur 1 carte(s) graphique(s) (llm-a 0.6")


def test_nvidia_smi_as_we_wrote_it_shares_that_make_the_whole_card_are_well(
    smi: Path, tmp_path: Path
) -> None:
    assert levels(look(tmp_path, *two_of(tmp_path, 0.5))) == ["ok", "ok", "ok"]


def test_nvidia_smi_as_we_wrote_it_models_that_want_a_card_each_are_told(
    smi: Path, tmp_path: Path
) -> None:
    says(smi, H100, "1, NVIDIA H100 PCIe, 81559, 81004, 580.95.05")
    told = look(tmp_path, *two_of(tmp_path, 0.6), GPU_COUNTS="2")
    assert levels(told) == ["ok", "ok", "warning", "ok", "ok"]
    assert told[2].said == "Les parts de mémoire font 1.2 : il faut 2 cartes, une par modèle."


@pytest.mark.parametrize(("counts", "level"), [("2", "error"), ("localhost=0", "warning")])
def test_nvidia_smi_as_we_wrote_it_cards_are_as_many_as_is_said(
    counts: str, level: str, smi: Path, tmp_path: Path
) -> None:
    told = look(tmp_path, model(tmp_path, 1), GPU_COUNTS=counts)
    assert levels(told) == ["ok", level, "ok"]
    assert "et nvidia-smi en voit 1" in told[1].said


def test_nvidia_smi_as_we_wrote_it_memory_that_is_not_told_is_unknown(
    smi: Path, tmp_path: Path
) -> None:
    says(smi, "0, GRID V100DX-32Q, [N/A], [N/A], [N/A]")
    assert "taille inconnue" in look(tmp_path, model(tmp_path, 1))[-1].said


def test_nvidia_smi_as_we_wrote_it_a_driver_that_fails_is_an_error(
    smi: Path, tmp_path: Path
) -> None:
    says(
        smi,
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        status=9,
    )
    (finding,) = look(tmp_path, model(tmp_path, 1))
    assert finding.level == "error"
    assert "couldn't communicate with the NVIDIA driver" in finding.said


def test_nvidia_smi_as_we_wrote_it_a_driver_older_than_cuda_13_is_an_error(
    smi: Path, tmp_path: Path
) -> None:
    says(smi, H100.replace("580.95.05", "570.172.08"))
    told = look(tmp_path, model(tmp_path, 1))
    assert levels(told) == ["ok", "error", "ok"]
    assert told[1].said.startswith("Le pilote NVIDIA 570.172.08 est trop ancien")


def test_the_oldest_driver_is_that_of_the_cuda_that_is_pinned() -> None:
    """NVIDIA's table: CUDA 13 asks for a driver 580 or newer."""
    lock = Path(__file__).parents[2] / "requirements-vllm.lock"
    assert "\nnvidia-cuda-runtime==13." in lock.read_text("utf-8")
    assert OLDEST_DRIVER == 580


def test_without_nvidia_smi_vllm_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = look(tmp_path, model(tmp_path, 1))
    assert finding.level == "error"
    assert "nvidia-smi" in finding.said
    assert "« m »" in finding.said


def test_llama_cpp_needs_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert levels(look(tmp_path, RoutedModel(name="m", driver="llama.cpp", file="m.gguf"))) == [
        "ok"
    ]
