"""Server-sent events, as bytes come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert.inference.event_stream import LIMIT, EventStream


def test_an_event_is_given_when_its_blank_line_comes() -> None:
    stream = EventStream()
    assert stream.feed(b"data: un\n") == []
    assert stream.feed(b"\n") == ["un"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_any_of_three_ways(end: bytes) -> None:
    wire = b"data: un" + end + end + b"data:deux" + end + end
    stream = EventStream()
    assert stream.feed(wire) + stream.feed(b"\n") == ["un", "deux"]


def test_comments_and_other_fields_give_nothing() -> None:
    assert EventStream().feed(b": toujours en vie\n\nevent: x\nid: 3\n\ndata: un\n\n") == ["un"]


def test_data_of_several_lines_is_joined() -> None:
    assert EventStream().feed(b"data: a\ndata: b\n\n") == ["a\nb"]


def test_an_endless_event_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        EventStream().feed(b"data: " + b"x" * LIMIT)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        EventStream().feed(b"data: \xff\n\n")


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n"), min_size=1), max_size=4),
    st.sampled_from(["\n", "\r\n"]),
    st.data(),
)
def test_events_do_not_depend_on_where_the_bytes_are_cut(
    texts: list[str], end: str, data: st.DataObject
) -> None:
    wire = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    stream = EventStream()
    edges = [0, *cuts, len(wire)]
    found = [e for a, b in pairwise(edges) for e in stream.feed(wire[a:b])]
    assert found == texts
