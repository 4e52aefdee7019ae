"""Which files are models that can be served, judged by their first bytes."""

import struct
from pathlib import Path

import pytest

from albert.domain.errors import ModelFileInvalid
from albert.serving.gguf import examine


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def model(*, version: int = 3, architecture: str = "llama", weights: int = 8192) -> bytes:
    """The smallest GGUF: three entries of metadata (one an array of words), one tensor."""
    metadata = [
        text("general.architecture") + struct.pack("<I", 8) + text(architecture),
        text(f"{architecture}.context_length") + struct.pack("<II", 4, 2048),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("le") + text("RSA"),
    ]
    tensor = text("output.weight") + struct.pack("<IQQIQ", 2, 32, 32, 0, 4096)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(metadata))
    return head + b"".join(metadata) + tensor + bytes(weights)


def written(folder: Path, octets: bytes) -> Path:
    path = folder / "modele.gguf"
    path.write_bytes(octets)
    return path


def test_a_model_says_what_it_is(tmp_path: Path) -> None:
    about = examine(written(tmp_path, model()))
    assert (about.version, about.architecture, about.context) == (3, "llama", 2048)


def test_what_does_not_converse_is_a_model_all_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, model(architecture="bert"))
    assert examine(path, purpose="anything").architecture == "bert"
    with pytest.raises(ModelFileInvalid, match="modèle de conversation"):
        examine(path)


SAFETENSORS = struct.pack("<Q", 40) + b'{"__metadata__":{}}' + bytes(60)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "est vide"),
        (b"\n <!DOCTYPE html><html>", "page web"),
        (b"lmgg" + bytes(5000), "format GGML, abandonné en 2023 : convertissez-le"),
        (b"tjgg" + bytes(5000), "format GGJT"),
        (b"algg" + bytes(5000), "format GGLA"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointeur Git LFS"),
        (b'{"model": 1}', "fichier JSON"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (SAFETENSORS, "safetensors"),
        (b"MZ" + bytes(5000), "n'est pas un modèle GGUF"),
        (b"GGUF\x03\x00", "est incomplet"),
        (model(version=1), "version 1"),
        (model(architecture="clip"), "n'est pas un modèle de conversation"),
        (model(weights=4000), "est incomplet"),  # the tensor begins at 4,096
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 1 << 60) + bytes(5000), "est incomplet"),
    ],
)
def test_what_is_no_model_is_named_with_a_way_out(tmp_path: Path, octets: bytes, says: str) -> None:
    with pytest.raises(ModelFileInvalid) as raised:
        examine(written(tmp_path, octets))
    assert says in str(raised.value)


@pytest.mark.parametrize("end", [30, 60, 100, 150, 200])
def test_a_header_cut_anywhere_is_incomplete(tmp_path: Path, end: int) -> None:
    with pytest.raises(ModelFileInvalid, match="incomplet"):
        examine(written(tmp_path, model()[:end]))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match="n'existe pas"):
        examine(tmp_path / "absent.gguf")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match="est un dossier"):
        examine(tmp_path)
