"""Reading a list one object at a time gives what reading it whole gives."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert.corpus.json_stream import NotTheForm, objects

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
services = st.lists(st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=5)


@settings(max_examples=40)
@given(services, st.sampled_from([None, 1]), st.booleans())
def test_streamed_is_loaded(told: list[dict[str, object]], indent: int | None, plain: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_text(json.dumps({"service": told}, indent=indent, ensure_ascii=plain), "utf-8")
        assert list(objects(path, "service")) == told


@settings(max_examples=40)
@given(services.filter(bool), st.data())
def test_a_list_cut_anywhere_is_never_taken_for_whole(
    told: list[dict[str, object]], data: st.DataObject
) -> None:
    text = json.dumps({"service": told})
    cut = data.draw(st.integers(0, len(text) - 3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_text(text[:cut], "utf-8")
        with pytest.raises(NotTheForm):
            list(objects(path, "service"))


def test_objects_longer_than_a_block_are_read(tmp_path: Path) -> None:
    told = [{"nom": "x" * 700_000}, {"nom": "y"}]
    (tmp_path / "a.json").write_text(json.dumps({"service": told}))
    assert list(objects(tmp_path / "a.json", "service")) == told
