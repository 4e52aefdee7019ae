"""Which folders hold a model that vLLM can serve, judged without reading its weights."""

from pathlib import Path

import pytest
from safetensors_folder import model_folder, weights

from albert.domain.errors import ModelFileInvalid
from albert.serving.model_folder import examine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "modele")


def test_a_configuration_and_whole_weights_are_a_model(folder: Path) -> None:
    examine(folder)


def test_a_folder_that_is_none_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match="n'existe pas"):
        examine(tmp_path / "absent")
    (file := tmp_path / "modele.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelFileInvalid, match=r"est un fichier GGUF.*llama\.cpp"):
        examine(file)
    (other := tmp_path / "modele.safetensors").write_bytes(weights())
    with pytest.raises(ModelFileInvalid, match="donnez le dossier"):
        examine(other)


@pytest.mark.parametrize(
    ("only", "says"),
    [
        ("modele.gguf", "ne contient que du GGUF"),
        ("pytorch_model.bin", "pickle"),
        ("README.md", "aucun poids safetensors"),
    ],
)
def test_other_weights_are_named_with_a_way_out(folder: Path, only: str, says: str) -> None:
    (folder / "model.safetensors").rename(folder / only)
    with pytest.raises(ModelFileInvalid) as raised:
        examine(folder)
    assert says in str(raised.value)


@pytest.mark.parametrize("octets", [b"", weights()[:20], weights(octets=3)])
def test_weights_that_are_not_whole_are_refused(folder: Path, octets: bytes) -> None:
    (folder / "model.safetensors").write_bytes(octets)
    with pytest.raises(ModelFileInvalid, match="coupé"):
        examine(folder)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_configuration_that_says_nothing_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelFileInvalid, match=r"config\.json » ne dit pas comment"):
        examine(folder)


def test_a_configuration_that_is_missing_is_named(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ModelFileInvalid, match=r"config\.json » manque"):
        examine(folder)
