"""Models brought from a hub that speaks as the real one, and fails as it does."""

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import hub_double
import pytest
from hub_double import COMMIT, HubDouble, cut, gguf, instead, page, safetensors, status

from albert.domain.errors import (
    DiskFull,
    HomeBusy,
    HomeError,
    ModelFileInvalid,
    ModelUnavailable,
    RequestError,
)
from albert.serving.downloads.download import Downloaded, Wanted, download
from albert.serving.downloads.hub import Hub
from albert.serving.store import MANIFEST, ModelStore

pytestmark = pytest.mark.integration

LIGHT = "AgentPublic/albert-light"
BIG = safetensors("model.embed", "model.head", octets=1_000_000)
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "prompt_config.yml": b"prompts: []\n",
    "rag.jinja": b"{{ query }}",
    "merges.txt": b"",
    "model.safetensors": BIG,
    "README.md": b"# Albert",
    "modeling_albert.py": b"import os",
    "pytorch_model.bin": b"\x80\x02.",
}
SERVING = set(FILES) - {"README.md", "modeling_albert.py", "pytorch_model.bin"}


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    with hub_double.serving() as running:
        running.put(LIGHT, dict(FILES))
        yield running


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def bring(
    hub: HubDouble,
    store: ModelStore,
    repo_id: str = LIGHT,
    *,
    revision: str = "",
    file: str = "",
    force: bool = False,
    key: str = "",
    allow_pickle: bool = False,
) -> Downloaded:
    return download(
        Wanted(repo_id=repo_id, revision=revision, file=file, force=force),
        store,
        Hub(hub.address, key, pauses=(0.0, 0.0)),
        progress=lambda done, total: None,
        allow_pickle=allow_pickle,
    )


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_serves_is_brought_and_nothing_that_runs(hub: HubDouble, store: ModelStore) -> None:
    done = bring(hub, store)
    assert done.changed
    assert everything(done.stored.folder) == SERVING | {MANIFEST}
    assert (done.stored.folder / "model.safetensors").read_bytes() == BIG
    assert not any(path.is_symlink() for path in done.stored.folder.rglob("*"))
    manifest = done.stored.manifest
    assert (manifest.commit, manifest.kind) == (COMMIT, "safetensors")
    proofs = {kept.path: (kept.size, kept.sha256) for kept in manifest.files}
    assert proofs == {name: (len(FILES[name]), hub_double.sha256(FILES[name])) for name in SERVING}


def test_what_is_there_is_not_asked_for_again_nor_the_hub(
    hub: HubDouble, store: ModelStore
) -> None:
    bring(hub, store)
    before = len(hub.asked)
    assert not bring(hub, store).changed
    offline = download(Wanted(repo_id=LIGHT), store, None, progress=lambda done, total: None)
    assert not offline.changed
    assert len(hub.asked) == before


def test_offline_what_is_there_serves_even_forced(hub: HubDouble, store: ModelStore) -> None:
    bring(hub, store)
    wanted = Wanted(repo_id=LIGHT, force=True)
    assert not download(wanted, store, None, progress=lambda done, total: None).changed


def test_offline_what_is_not_there_is_told(store: ModelStore) -> None:
    with pytest.raises(ModelUnavailable, match="HF_HUB_OFFLINE"):
        download(Wanted(repo_id=LIGHT), store, None, progress=lambda done, total: None)


def test_a_cut_transfer_is_taken_up_where_it_broke(hub: HubDouble, store: ModelStore) -> None:
    hub.fail("model.safetensors", cut(700_000), cut(600_000))
    assert (bring(hub, store).stored.folder / "model.safetensors").read_bytes() == BIG
    block = 262_144  # the library hands over whole blocks: two of them, then two more
    ranges = [asked.headers.get("Range") for asked in hub.gets("model.safetensors")]
    assert ranges == [None, f"bytes={2 * block}-", f"bytes={4 * block}-"]


def test_a_later_run_goes_on_where_the_first_gave_up(hub: HubDouble, store: ModelStore) -> None:
    hub.fail("model.safetensors", cut(700_000), *[status(503)] * 3)
    with pytest.raises(ModelUnavailable, match=r"répond 503.*rien de ce qui est déjà venu"):
        bring(hub, store)
    assert store.list() == []
    bring(hub, store)
    assert hub.gets("model.safetensors")[-1].headers["Range"] == "bytes=524288-"
    assert len(hub.gets("config.json")) == 1


def test_a_server_without_ranges_is_asked_for_the_whole(hub: HubDouble, store: ModelStore) -> None:
    hub.fail("model.safetensors", cut(700_000), instead(BIG))
    assert (bring(hub, store).stored.folder / "model.safetensors").read_bytes() == BIG


def test_a_range_that_is_refused_begins_again(hub: HubDouble, store: ModelStore) -> None:
    hub.fail("model.safetensors", cut(700_000), status(416))
    assert (bring(hub, store).stored.folder / "model.safetensors").read_bytes() == BIG


def test_wrong_bytes_are_brought_again_once_then_refused(hub: HubDouble, store: ModelStore) -> None:
    wrong = BIG[:-1] + bytes([BIG[-1] ^ 1])
    hub.fail("model.safetensors", instead(wrong))
    assert (bring(hub, store).stored.folder / "model.safetensors").read_bytes() == BIG
    hub.put("a/spoiled", {"model.safetensors": wrong}).announced["model.safetensors"] = BIG
    with pytest.raises(ModelFileInvalid, match="ne correspond pas à l'empreinte"):
        bring(hub, store, "a/spoiled")
    assert [stored.manifest.repo_id for stored in store.list()] == [LIGHT]


@pytest.mark.parametrize("sent", [BIG + b"more", BIG[:-10]], ids=["longer", "shorter"])
def test_a_wrong_size_never_is_a_model(sent: bytes, hub: HubDouble, store: ModelStore) -> None:
    hub.fail("model.safetensors", *[instead(sent)] * 9)
    with pytest.raises(ModelUnavailable):
        bring(hub, store)
    assert store.list() == []


def test_the_token_goes_to_the_hub_and_nowhere_else(hub: HubDouble, store: ModelStore) -> None:
    hub.repositories[LIGHT].key = "hf_secret"
    bring(hub, store, key="hf_secret")
    stored = [one for one in hub.asked if one.path.startswith(f"/{LIGHT}/model")]
    asked = [one for one in hub.asked if one not in stored]

    def keys(one: hub_double.Asked) -> set[str]:
        return {value for name, value in one.headers.items() if name.lower() == "authorization"}

    assert stored
    assert all(keys(one) == set() for one in stored)
    assert all(keys(one) == {"Bearer hf_secret"} for one in asked)


@pytest.mark.parametrize(
    ("change", "key", "sentence"),
    [
        ({"gated": True}, "", r"n'est ouvert qu'aux comptes que son auteur accepte.*HF_TOKEN"),
        ({"key": "hf_right"}, "", r"y est privé.*HF_TOKEN"),
        ({"key": "hf_right"}, "hf_wrong", r"interdit l'accès.*HF_TOKEN"),
    ],
)
def test_a_closed_repository_names_the_token(
    change: dict[str, object], key: str, sentence: str, hub: HubDouble, store: ModelStore
) -> None:
    for name, value in change.items():
        setattr(hub.repositories[LIGHT], name, value)
    with pytest.raises(ModelUnavailable, match=sentence) as refused:
        bring(hub, store, key=key)
    assert "hf_" not in str(refused.value)


def test_a_refused_token_is_told(hub: HubDouble, store: ModelStore) -> None:
    refusal = {"X_Error_Message": "Invalid credentials in Authorization header"}
    hub.fail("listing", status(401, **refusal))
    with pytest.raises(ModelUnavailable, match="refuse le jeton de HF_TOKEN"):
        bring(hub, store, key="hf_old")


def test_what_is_not_there_is_named(hub: HubDouble, store: ModelStore) -> None:
    with pytest.raises(ModelUnavailable, match=r"« a/none » n'est pas sur"):
        bring(hub, store, "a/none")
    with pytest.raises(ModelUnavailable, match=r"à la révision « v9 »"):
        bring(hub, store, revision="v9")
    with pytest.raises(ModelUnavailable, match=r"pas de fichier « q4.gguf ». Ses poids : model"):
        bring(hub, store, file="q4.gguf")
    with pytest.raises(RequestError, match="organisation/modèle"):
        bring(hub, store, "../etc")


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_hub_is_asked_again(code: int, hub: HubDouble, store: ModelStore) -> None:
    hub.fail("listing", status(code), status(code))
    hub.fail("config.json", status(code))
    assert bring(hub, store).changed


def test_a_hub_that_wants_an_hour_is_told_of_at_once(hub: HubDouble, store: ModelStore) -> None:
    hub.fail("listing", status(429, Retry_After="3600"))
    with pytest.raises(ModelUnavailable, match="répond 429"):
        bring(hub, store)
    assert len(hub.asked) == 1


def test_a_portal_and_an_absent_hub_name_the_setting(hub: HubDouble, store: ModelStore) -> None:
    hub.fail("listing", page)
    with pytest.raises(ModelUnavailable, match="HF_ENDPOINT"):
        bring(hub, store)
    hub.address = "http://127.0.0.1:1"
    with pytest.raises(ModelUnavailable, match=r"hors d'atteinte.*HF_ENDPOINT"):
        bring(hub, store)


PICKLES = {
    "model.safetensors": pickle.dumps({"weights": [0.0]}),
    "model.gguf": pickle.dumps(["weights"], protocol=2),
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_lying_name_is_found_out_by_its_first_bytes(
    name: str, hub: HubDouble, store: ModelStore
) -> None:
    hub.put("a/liar", {"config.json": b"{}", name: PICKLES[name]})
    with pytest.raises(ModelFileInvalid, match=r"fichier pickle.*--allow-pickle"):
        bring(hub, store, "a/liar")
    assert everything(store.folder) == {".partial/a--liar.lock"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("config.json", b"<!DOCTYPE html><p>", "est une page web"),
        ("tokenizer.json", pickle.dumps({}), "est un fichier pickle"),
        ("config.json", b"nothing", "n'est pas du JSON"),
        ("model.safetensors", b"<html>", "est une page web"),
        ("model.safetensors", BIG[:200], "coupé"),
    ],
)
def test_what_is_not_what_it_should_be_is_refused(
    name: str, content: bytes, sentence: str, hub: HubDouble, store: ModelStore
) -> None:
    hub.put("a/odd", {**FILES, name: content})
    with pytest.raises(ModelFileInvalid, match=sentence):
        bring(hub, store, "a/odd")
    assert store.list() == []


def test_a_pickle_is_refused_before_it_comes_unless_it_is_allowed(
    hub: HubDouble, store: ModelStore
) -> None:
    weights = pickle.dumps(bytes(500_000))
    hub.put("a/old", {"config.json": b"{}", "pytorch_model.bin": weights})
    with pytest.raises(ModelFileInvalid, match="--allow-pickle"):
        bring(hub, store, "a/old")
    assert [one.headers["Range"] for one in hub.gets("pytorch_model.bin")] == ["bytes=0-255"]
    done = bring(hub, store, "a/old", allow_pickle=True)
    assert (done.stored.manifest.kind, done.stored.path) == ("pickle", done.stored.folder)


def test_a_file_of_before_gguf_has_a_way_out(hub: HubDouble, store: ModelStore) -> None:
    name = "ggml-model-expert-q4_K.bin"
    hub.put("AgentPublic/tiny-albert", {"config.json": b"{}", name: b"tjgg" + bytes(5000)})
    for file in ("", name):
        with pytest.raises(ModelFileInvalid, match=r"GGJT, abandonné en 2023.*version GGUF"):
            bring(hub, store, "AgentPublic/tiny-albert", file=file)


def test_one_gguf_is_picked_among_several(hub: HubDouble, store: ModelStore) -> None:
    hub.put("a/quants", {"q4.gguf": gguf(word="q4"), "q8.gguf": gguf(word="q8")})
    with pytest.raises(ModelUnavailable, match=r"plusieurs fichiers GGUF.*q4.gguf, q8.gguf"):
        bring(hub, store, "a/quants")
    for name in ("q4", "q8"):
        done = bring(hub, store, "a/quants", file=f"{name}.gguf")
        assert done.stored.path.read_bytes() == gguf(word=name)
    assert len(store.list()) == 2


def test_a_name_out_of_the_folder_refuses_the_repository(
    hub: HubDouble, store: ModelStore, tmp_path: Path
) -> None:
    for name in ("../x.json", "/x.json", "a/../../x.json", "a\\..\\x.json"):
        hub.put("a/trap", {**FILES, name: b"{}"})
        with pytest.raises(ModelFileInvalid, match="hors de son dossier"):
            bring(hub, store, "a/trap")
    assert not list(tmp_path.rglob("x.json"))


def test_shards_that_the_index_names_must_all_be_there(hub: HubDouble, store: ModelStore) -> None:
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    index = b'{"weight_map": {"a": "%s", "b": "%s"}}' % (one.encode(), two.encode())
    files = {"model.safetensors.index.json": index, one: safetensors("a")}
    hub.put("a/shards", files)
    with pytest.raises(ModelFileInvalid, match=r"nomme le fichier « model-00002.*qui manque"):
        bring(hub, store, "a/shards")
    hub.put("a/shards", {**files, two: safetensors("b")})
    assert bring(hub, store, "a/shards").stored.manifest.weights == (one, two)


def test_forced_only_what_changed_comes_again(hub: HubDouble, store: ModelStore) -> None:
    bring(hub, store)
    repository = hub.repositories[LIGHT]
    repository.commit = "beef" * 10
    repository.files["config.json"] = b'{"model_type": "mistral"}'
    done = bring(hub, store, force=True)
    assert done.changed
    assert (done.stored.folder / "config.json").read_bytes() == b'{"model_type": "mistral"}'
    assert done.stored.manifest.commit == "beef" * 10
    assert len(hub.gets("model.safetensors")) == 1
    assert not bring(hub, store, force=True).changed


def test_forced_a_spoiled_file_is_mended(hub: HubDouble, store: ModelStore) -> None:
    weights = bring(hub, store).stored.folder / "model.safetensors"
    weights.write_bytes(BIG[:-1] + b"?")
    assert bring(hub, store, force=True).changed
    assert weights.read_bytes() == BIG


def test_a_file_cut_on_disk_is_brought_again_unforced(hub: HubDouble, store: ModelStore) -> None:
    weights = bring(hub, store).stored.folder / "model.safetensors"
    weights.write_bytes(BIG[:-1])
    assert bring(hub, store).changed
    assert weights.read_bytes() == BIG


def test_what_stood_there_stands_when_the_new_one_is_wrong(
    hub: HubDouble, store: ModelStore
) -> None:
    folder = bring(hub, store).stored.folder
    hub.repositories[LIGHT].commit = "beef" * 10
    hub.repositories[LIGHT].files["model.safetensors"] = b"\x80\x04."
    with pytest.raises(ModelFileInvalid):
        bring(hub, store, force=True)
    (stored,) = store.list()
    stored.check()
    assert (folder / "model.safetensors").read_bytes() == BIG


def test_a_folder_that_is_not_ours_is_left_alone(hub: HubDouble, store: ModelStore) -> None:
    own = store.place(LIGHT).folder / "mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(HomeError, match="n'a pas été écrit par Albert"):
        bring(hub, store)
    assert own.read_text() == "mine"


def test_two_at_once_one_is_told_to_wait(hub: HubDouble, store: ModelStore) -> None:
    reached, release = threading.Event(), threading.Event()
    hub.fail("model.safetensors", hub_double.held(300_000, reached, release))
    first = threading.Thread(target=bring, args=(hub, store))
    first.start()
    assert reached.wait(30)
    try:
        with pytest.raises(HomeBusy, match="Un autre processus télécharge déjà"):
            bring(hub, store)
    finally:
        release.set()
        first.join(60)
    assert [stored.manifest.repo_id for stored in store.list()] == [LIGHT]


def test_without_room_nothing_begins(hub: HubDouble, store: ModelStore) -> None:
    vast = hub.put("a/vast", dict(FILES))
    hub.fail("listing", lambda talk, _: talk.say(200, _vast(vast)))
    with pytest.raises(DiskFull, match=r"Il faut 1000000,0 Go et il reste .*STORAGE_PATH"):
        bring(hub, store, "a/vast")
    assert hub.gets("config.json") == []


def _vast(repository: hub_double.Repository) -> bytes:
    """A listing of a million gigabytes."""
    size = 10**15
    return (
        b'{"id": "a/vast", "sha": "%s", "siblings": [{"rfilename": "model.safetensors",'
        b' "size": %d, "blobId": "%s"}]}' % (repository.commit.encode(), size, b"0" * 40)
    )
