"""Weights are judged by their first bytes, and safetensors by their whole header."""

import contextlib
import json
import pickle
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert.domain.errors import ModelFileInvalid
from albert.serving.safetensors import check_index, tensors
from albert.serving.weights import judge_companion, judge_weights


def file(header: object, weights: int, *, length: int | None = None) -> bytes:
    told = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(told) if length is None else length) + told + bytes(weights)


def tensor(start: int, stop: int, *, dtype: str = "F32", shape: list[int] | None = None) -> object:
    size = (stop - start) // 4
    return {
        "dtype": dtype,
        "shape": [size] if shape is None else shape,
        "data_offsets": [start, stop],
    }


WHOLE = {"__metadata__": {"format": "pt"}, "b": tensor(16, 24), "a": tensor(0, 16, shape=[2, 2])}


def written(folder: Path, octets: bytes, name: str = "model.safetensors") -> Path:
    path = folder / name
    path.write_bytes(octets)
    return path


def test_the_tensors_are_named(tmp_path: Path) -> None:
    assert tensors(written(tmp_path, file(WHOLE, 24))) == {"a", "b"}


def test_a_scalar_and_an_empty_tensor_have_their_places(tmp_path: Path) -> None:
    header = {"none": tensor(0, 0, shape=[0, 8]), "one": tensor(0, 4, shape=[])}
    assert tensors(written(tmp_path, file(header, 4))) == {"none", "one"}


@pytest.mark.parametrize(
    ("octets", "sentence"),
    [
        (b"", "est coupé"),
        (file(WHOLE, 23), "est coupé, ou plus long"),
        (file(WHOLE, 25), "est coupé, ou plus long"),
        (file(WHOLE, 24, length=10_000), "est coupé, ou n'est pas"),
        (file(WHOLE, 24, length=1 << 62), "est coupé, ou n'est pas"),
        (file(b'{"a": ', 4), "illisible"),
        (file(b'{"a": 1, "a": 2}', 4), "illisible"),
        (file(b"[" * 200_000, 4), "illisible"),
        (file([], 0), "illisible"),
        (file({}, 0), "est coupé"),
        (file({"a": tensor(4, 8)}, 8), "place mal « a »"),
        (file({"a": tensor(0, 8), "b": tensor(4, 12)}, 12), "place mal « b »"),
        (file({"a": tensor(0, 8, shape=[3])}, 8), "décrit mal « a »"),
        (file({"a": tensor(8, 0, shape=[0])}, 8), "décrit mal « a »"),
        (file({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, 4), "décrit mal"),
        (file({"a": "F32"}, 4), "décrit mal « a »"),
    ],
)
def test_a_header_that_lies_is_refused(octets: bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileInvalid, match=sentence):
        tensors(written(tmp_path, octets))


@given(octets=st.binary(max_size=300), at=st.integers(0, 200))
def test_whatever_the_bytes_it_is_read_or_refused(
    octets: bytes, at: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    good = file(WHOLE, 24)
    path = written(tmp_path_factory.getbasetemp(), good[:at] + octets + good[at + len(octets) :])
    with contextlib.suppress(ModelFileInvalid):
        assert tensors(path)


def test_an_index_wants_its_shards_and_their_tensors(tmp_path: Path) -> None:
    index = written(tmp_path, b'{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}', "i")
    one, two = frozenset({"a"}), frozenset({"b"})
    check_index(index, {"1.safetensors": one, "2.safetensors": two})
    with pytest.raises(ModelFileInvalid, match=r"nomme le fichier « 2.safetensors », qui manque"):
        check_index(index, {"1.safetensors": one})
    with pytest.raises(ModelFileInvalid, match=r"place « b » dans « 2.safetensors », qui ne l'a"):
        check_index(index, {"1.safetensors": one, "2.safetensors": one})
    for wrong in (b"{}", b"[]", b"{", b'{"weight_map": []}'):
        with pytest.raises(ModelFileInvalid, match="n'est pas l'index"):
            check_index(written(tmp_path, wrong, "i"), {})


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_known_whatever_its_name(protocol: int) -> None:
    start = pickle.dumps({"a": 1}, protocol=protocol)
    with pytest.raises(ModelFileInvalid, match=r"pickle.*--allow-pickle"):
        judge_weights("model.safetensors", start)
    assert judge_weights("model.safetensors", start, allow_pickle=True) == "pickle"


@pytest.mark.parametrize("protocol", [0, 1])
def test_a_pickle_of_the_first_protocols_is_no_weights_even_allowed(protocol: int) -> None:
    with pytest.raises(ModelFileInvalid, match="n'est pas un modèle"):
        judge_weights("a.gguf", pickle.dumps([1], protocol=protocol), allow_pickle=True)


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        (b"PK\x03\x04" + bytes(60), "pickle"),
        (b"lmgg" + bytes(60), "GGML, abandonné en 2023"),
        (b"<!DOCTYPE html>", "page web"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointeur Git LFS"),
        (b"", "vide"),
    ],
)
def test_what_is_no_weights_is_told(start: bytes, sentence: str) -> None:
    with pytest.raises(ModelFileInvalid, match=sentence):
        judge_weights("weights.bin", start)


def test_what_is_served_is_known() -> None:
    assert judge_weights("a.bin", file(WHOLE, 24)) == "safetensors"
    assert judge_weights("a.bin", b"GGUF\x03\x00\x00\x00") == "gguf"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("rag.jinja", b"<s>{{ query }}"),
        ("config.json", b"\xef\xbb\xbf \n{}"),
        ("tokenizer.model", b"\n\x0e\n\x05<unk>"),
        ("prompt_config.yml", b"prompts: []"),
        ("merges.txt", b""),
    ],
)
def test_what_goes_beside_weights_is_let_in(name: str, start: bytes) -> None:
    judge_companion(name, start)
