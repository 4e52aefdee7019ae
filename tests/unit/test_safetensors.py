"""Which folders hold a model that vLLM can serve, judged without reading its weights."""

import json
from pathlib import Path

import pytest
from safetensors_folder import model_folder, weights

from albert.domain.errors import ModelFileInvalid
from albert.serving.safetensors import examine


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


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "n'est pas un fichier safetensors entier"),
        (b"PK\x03\x04" + bytes(100), "n'est pas un fichier safetensors"),
        (weights()[:20], "n'est pas un fichier safetensors entier"),
        (weights(octets=3), "est incomplet"),
        (weights(octets=5), "est incomplet"),
        (weights({"w": {}}), "n'est pas un fichier safetensors"),
        (weights(["w"]), "n'est pas un fichier safetensors"),
        (weights({"w": {"data_offsets": [0, "4"]}}), "n'est pas un fichier safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\n" * 3, "n'est pas un fichier safetensors"),
    ],
)
def test_weights_that_are_none_or_not_whole_are_refused(
    folder: Path, octets: bytes, says: str
) -> None:
    (folder / "model.safetensors").write_bytes(octets)
    with pytest.raises(ModelFileInvalid) as raised:
        examine(folder)
    assert says in str(raised.value)


def test_a_piece_that_the_index_names_may_not_be_missing(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    places = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    with pytest.raises(ModelFileInvalid, match=r"00002-of-00002\.safetensors » manque"):
        examine(folder)
    (folder / "model-00002-of-00002.safetensors").write_bytes(weights())
    examine(folder)
    index.write_text("{}")
    with pytest.raises(ModelFileInvalid, match="ne dit pas où sont les poids"):
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
