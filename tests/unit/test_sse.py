"""Server-sent events, as the HTML standard writes them."""

import pytest

from albert.wire.sse import LIMIT, Decoder, ServerEvent, comment, encode


def test_an_event_is_written_field_by_field() -> None:
    event = ServerEvent("un\ndeux", name="note", id="7", retry=3000)

    written = encode(event)

    assert written == b"event: note\ndata: un\ndata: deux\nid: 7\nretry: 3000\n\n"


def test_comments_and_unknown_fields_are_ignored() -> None:
    events = Decoder().feed(b": awake\nvoice: low\n" + comment("still here") + b"data: x\n\n")

    assert events == [ServerEvent("x")]


def test_every_kind_of_line_end_ends_a_line() -> None:
    events = Decoder().feed(b"data: a\r\n\r\ndata: b\r\rdata: c\n\n")

    assert [event.data for event in events] == ["a", "b", "c"]


def test_a_carriage_return_and_its_line_feed_may_come_apart() -> None:
    decoder = Decoder()

    events = [*decoder.feed(b"data: a\r"), *decoder.feed(b"\ndata: b\r\n\r"), *decoder.feed(b"\n")]

    assert events == [ServerEvent("a\nb")]


def test_an_event_without_data_is_not_one() -> None:
    assert Decoder().feed(b"event: ping\nid: 1\n\n") == []


def test_an_unfinished_event_is_held_back() -> None:
    decoder = Decoder()

    assert decoder.feed(b"data: par") == []
    assert decoder.feed(b"tie\n\n") == [ServerEvent("partie")]


def test_only_the_first_space_after_the_colon_belongs_to_the_form() -> None:
    assert Decoder().feed(b"data:  x\n\ndata:y\n\n") == [ServerEvent(" x"), ServerEvent("y")]


def test_a_strict_reader_refuses_an_endless_event() -> None:
    with pytest.raises(ValueError, match="too long"):
        Decoder(strict=True).feed(b"data: " + b"x" * LIMIT)


def test_a_strict_reader_refuses_what_is_not_utf8() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        Decoder(strict=True).feed(b"data: \xff\n\n")
