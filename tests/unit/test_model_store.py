"""What an engine is given, and what it is not."""

import struct
from pathlib import Path

import pytest

from albert.domain.errors import (
    HomeTooNew,
    ModelFileInvalid,
    ModelNotDownloaded,
    RequestError,
)
from albert.routing.table import RoutedModel
from albert.serving.inventory import inventory
from albert.serving.store import Kept, Manifest, ModelStore

TENSORS = (
    struct.pack("<Q", 55) + b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}  ' + b"abcd"
)


def put(store: ModelStore, repo_id: str = "a/b", *, revision: str = "", file: str = "") -> Path:
    """Write a model as a download leaves it: one file of weights."""
    place = store.place(repo_id, revision, file)
    name = file or "model.safetensors"
    place.fresh.mkdir(parents=True)
    (place.fresh / name).write_bytes(TENSORS)
    manifest = Manifest(
        repo_id=repo_id,
        revision=revision,
        file=file,
        commit="c" * 40,
        fetched_at="2026-11-25T12:00:00+00:00",
        kind="safetensors",
        weights=(name,),
        files=(Kept(path=name, size=len(TENSORS), sha256="0" * 64),),
    )
    place.install(manifest)
    return place.folder


def routed(repo_id: str = "a/b", **more: str) -> RoutedModel:
    return RoutedModel.model_validate({"name": "b", "hf_repo_id": repo_id, **more})


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_a_model_of_the_table_is_found(store: ModelStore) -> None:
    main, second = put(store), put(store, revision="refs/pr/1")
    assert main == store.folder / "a--b"
    assert store.find(routed()) == main
    assert store.find(routed(revision="refs/pr/1")) == second
    assert store.find(routed(file="model.safetensors")) == main


def test_the_only_file_that_is_there_serves_where_none_is_named(store: ModelStore) -> None:
    one = put(store, file="q4.safetensors")
    assert store.find(routed()) == one
    put(store, file="q8.safetensors")
    with pytest.raises(ModelNotDownloaded):
        store.find(routed())


def test_what_is_not_there_says_how_to_have_it(store: ModelStore) -> None:
    with pytest.raises(ModelNotDownloaded, match="« albert models download b »"):
        store.find(routed())


def test_a_download_under_way_is_never_found(store: ModelStore) -> None:
    place = store.place("a/b")
    for folder in (place.partial, place.fresh):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(TENSORS)
    assert store.list() == []
    with pytest.raises(ModelNotDownloaded):
        store.find(routed())


@pytest.mark.parametrize("content", [None, TENSORS[:-1], b"x" * len(TENSORS)])
def test_what_is_no_longer_whole_is_refused(content: bytes | None, store: ModelStore) -> None:
    weights = put(store) / "model.safetensors"
    weights.unlink()
    if content is not None:
        weights.write_bytes(content)
    with pytest.raises(ModelFileInvalid, match="--force"):
        store.find(routed())


def test_a_manifest_that_cannot_be_read_is_told(store: ModelStore) -> None:
    manifest = put(store) / "albert-manifest.json"
    later = manifest.read_text().replace('"format": 1', '"format": 2')
    manifest.write_text("{")
    with pytest.raises(ModelFileInvalid, match="est abîmé"):
        store.list()
    manifest.write_text(later)
    with pytest.raises(HomeTooNew):
        store.list()


def test_killed_between_two_renames_the_old_one_is_put_back(store: ModelStore) -> None:
    folder = put(store)
    place = store.place("a/b")
    place.partial.mkdir(parents=True)
    folder.rename(place.storage / ".partial" / "a--b.old")
    place.fresh.mkdir()
    with place.locked():
        assert store.find(routed()) == folder
        assert not place.fresh.exists()
        assert place.partial.exists()


def test_an_operator_s_own_files_are_judged_too(store: ModelStore, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "model.safetensors").write_bytes(TENSORS)
    assert store.find(routed("", file=str(own))) == own
    (own / "model.safetensors").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelFileInvalid, match="pickle"):
        store.find(routed("", file=str(own / "model.safetensors")))
    with pytest.raises(ModelFileInvalid, match="n'existe pas"):
        store.find(routed("", file=str(tmp_path / "none")))


@pytest.mark.parametrize("repo_id", ["", "..", "../x", "a/b/c", "a--b", "a/..", "/a", "a b"])
def test_a_name_that_no_repository_has_is_refused(repo_id: str, store: ModelStore) -> None:
    with pytest.raises(RequestError, match="organisation/modèle"):
        store.place(repo_id)


def test_what_is_routed_and_what_is_there_are_shown_side_by_side(
    store: ModelStore, tmp_path: Path
) -> None:
    put(store), put(store, "x/unrouted")
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF" + bytes(96))
    models = [
        routed(),
        RoutedModel.model_validate({"name": "own", "driver": "llama.cpp", "file": str(own)}),
        RoutedModel.model_validate({"name": "far", "driver": "openai"}),
        routed("not/here"),
    ]
    entries = inventory(store, models, [("sert",), ("local",), ("arrêté",), ("local",)])
    size = len(TENSORS)
    assert [(e.repo_id, e.size, e.whole, dict(e.routed)) for e in entries] == [
        ("a/b", size, True, {"b": ("sert",)}),
        ("x/unrouted", size, True, {}),
        ("", 100, True, {"own": ("local",)}),
        ("", 0, False, {"far": ("arrêté",)}),
        ("not/here", 0, False, {"b": ("local",)}),
    ]
