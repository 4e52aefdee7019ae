"""What is written is what is read, however the bytes are cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from albert.wire.sse import Decoder, ServerEvent, comment, encode

lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)
events = st.builds(
    ServerEvent,
    st.text(st.characters(codec="utf-8"), max_size=60),
    name=lines,
    id=st.none() | lines,
    retry=st.none() | st.integers(0, 100_000),
)


@given(events)
def test_decoding_gives_back_what_was_encoded(event: ServerEvent) -> None:
    assert Decoder().feed(encode(event)) == [event]


@given(st.lists(events, max_size=5), st.lists(st.integers(0, 500), max_size=20))
def test_cuts_change_nothing(sent: list[ServerEvent], cuts: list[int]) -> None:
    data = b"".join(encode(event) + comment("…") for event in sent)
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    decoder = Decoder()

    received = [event for a, b in pairwise(bounds) for event in decoder.feed(data[a:b])]

    assert received == sent


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_read_the_same_in_two_halves(data: bytes, cut: int) -> None:
    decoder = Decoder()

    halves = [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])]

    assert halves == Decoder().feed(data)
