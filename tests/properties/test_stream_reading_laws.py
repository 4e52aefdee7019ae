"""However an engine's stream is cut, its reader hears the same events, and its cost is known."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.v1.told import StreamReading
from albert.wire.sse import DONE, Decoder, frame

texts = st.text(max_size=20) | st.just('"usage":{"prompt_tokens":9}')


def a_call() -> Call:
    who = Principal(user_id=1, username="a")
    return Call(request_id="1", principal=who, model="m", operation="chat/completions")


def chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return frame(orjson.dumps({"choices": [choice]}))


USAGE = frame(
    b'{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,'
    b'"prompt_tokens_details":{"cached_tokens":5}}}'
)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(stream)) for place in places} | {len(stream)})
    return [stream[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


@given(st.lists(texts, max_size=6), st.lists(st.integers(0, 2000), max_size=8), st.booleans())
def test_events_are_whole_in_order_and_the_cost_is_the_engines_own(
    said: list[str], places: list[int], asked: bool
) -> None:
    call = a_call()
    reading = StreamReading(call, asked=asked)
    parts = cut(b"".join(map(chunk, said)) + USAGE + DONE, places)

    told = [reading.feed(part) for part in parts]

    assert all(not part or part.endswith(b"\n\n") for part in told)
    expected = b"".join(map(chunk, said)) + (USAGE if asked else b"") + DONE
    assert Decoder().feed(b"".join(told)) == Decoder().feed(expected)
    assert reading.done
    assert reading.end() == b""
    assert (call.prompt_tokens, call.completion_tokens, call.cached_tokens) == (7, 3, 5)


@given(st.lists(texts, min_size=1, max_size=6))
def test_where_the_engine_did_not_count_its_events_are(said: list[str]) -> None:
    call = a_call()
    reading = StreamReading(call, asked=False)
    reading.feed(b"".join(map(chunk, said)) + b'data: {"half')
    assert not reading.done
    assert reading.end() == b'data: {"half'
    assert call.completion_tokens == len(said)


@given(st.lists(texts, max_size=4))
def test_lines_that_end_as_on_windows_pass_too(said: list[str]) -> None:
    stream = (b"".join(map(chunk, said)) + DONE).replace(b"\n", b"\r\n")
    reading = StreamReading(a_call(), asked=True)
    assert reading.feed(stream) == stream


def test_what_an_engine_says_while_it_reads_is_kept_from_readers_and_is_no_first_token() -> None:
    call = a_call()
    reading = StreamReading(call, asked=False)
    assert reading.feed(frame(b'{"choices":[{"delta":{}}],"prompt_progress":{"total":9}}')) == b""
    assert call.first == 0
    said = chunk('"prompt_progress"')
    assert reading.feed(said) == said
    assert call.first > 0
