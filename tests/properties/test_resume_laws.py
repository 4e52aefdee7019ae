"""Wherever a reader left an answer, what comes after is exactly the rest."""

from hypothesis import given
from hypothesis import strategies as st

from albert.api.features.streams.generation import Text

PIECES = st.lists(st.text(min_size=1, max_size=5), max_size=8)


def text_of(pieces: list[str]) -> Text:
    text = Text()
    for piece in pieces:
        text.add(piece)
    return text


@given(PIECES, st.data())
def test_what_was_heard_and_what_comes_after_are_the_whole(
    pieces: list[str], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    position = data.draw(st.integers(0, len(whole)))

    after = text_of(pieces).after(position, len(pieces))

    assert whole[:position] + "".join(said.text for said in after) == whole


@given(PIECES, st.data())
def test_each_event_says_where_it_ends(pieces: list[str], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len("".join(pieces))))
    for said in text_of(pieces).after(position, len(pieces)):
        position += len(said.text)
        assert said.end == position


@given(PIECES, st.data())
def test_nothing_is_heard_of_pieces_that_are_not_kept_yet(
    pieces: list[str], data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, len(pieces)))

    after = text_of(pieces).after(0, kept)

    assert "".join(said.text for said in after) == "".join(pieces[:kept])
