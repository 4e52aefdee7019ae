"""A chat told as a response: the same words, in a sequence that OpenAI's own types accept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from albert.api.v1.responses.asked import repeated
from albert.api.v1.responses.told import ResponseStream
from albert.asgi.problems import Problem
from albert.wire.sse import DONE, Decoder, frame

Json = dict[str, Any]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
SPENT = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}

pieces = st.lists(st.text(min_size=1, max_size=6), max_size=4)


@dataclass
class Chat:
    """What a model says, piece by piece."""

    thought: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    finish: str = "stop"

    def deltas(self) -> list[Json]:
        said: list[Json] = [{"role": "assistant", "content": ""}]
        said += [{"reasoning_content": piece} for piece in self.thought]
        said += [{"content": piece} for piece in self.text]
        said += [{"refusal": piece} for piece in self.refusal]
        for index, arguments in enumerate(self.calls):
            opens = {"id": f"call{index}", "function": {"name": "lire", "arguments": ""}}
            said.append({"tool_calls": [{"index": index, **opens}]})
            said += [
                {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
                for piece in arguments
            ]
        return said

    def stream(self) -> bytes:
        chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in self.deltas()]
        finish: Json = {"choices": [{"index": 0, "delta": {}, "finish_reason": self.finish}]}
        counted: Json = {"choices": [], "usage": SPENT}
        return b"".join(frame(orjson.dumps(each)) for each in (*chunks, finish, counted)) + DONE

    def whole(self) -> bytes:
        message: Json = {"role": "assistant", "content": "".join(self.text) or None}
        message |= {"reasoning_content": "".join(self.thought), "refusal": "".join(self.refusal)}
        message["tool_calls"] = [
            {"id": f"call{index}", "function": {"name": "lire", "arguments": "".join(arguments)}}
            for index, arguments in enumerate(self.calls)
        ]
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return orjson.dumps({"choices": [choice], "usage": SPENT})


chats = st.builds(
    Chat,
    pieces,
    pieces,
    pieces,
    st.lists(pieces, max_size=3),
    st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
)


def told() -> ResponseStream:
    return ResponseStream(repeated({"input": "?"}), "grand", clock=lambda: 1.0)


def events(*frames: bytes) -> list[Json]:
    return [orjson.loads(event.data) for event in Decoder().feed(b"".join(frames))]


def streamed(said: bytes, cuts: list[int]) -> list[Json]:
    stream = told()
    frames = stream.opening()
    edges = [0, *sorted(cut % (len(said) + 1) for cut in cuts), len(said)]
    for start, end in pairwise(edges):
        frames += stream.feed(said[start:end])
    return events(*frames, *stream.close())


def fault_of(act: Callable[[], object]) -> int | None:
    """Return the status of the problem that ``act`` raises, if it raises one."""
    try:
        act()
    except Problem as problem:
        return problem.status
    return None


def without_ids(output: list[Json]) -> list[Json]:
    return [{key: value for key, value in item.items() if key != "id"} for item in output]


@given(chats, st.lists(st.integers(0, 10**6), max_size=5))
def test_a_stream_says_what_the_whole_says(chat: Chat, cuts: list[int]) -> None:
    told_in_pieces = streamed(chat.stream(), cuts)
    whole = orjson.loads(told().whole(chat.whole()))

    last = told_in_pieces[-1]["response"]
    assert without_ids(last["output"]) == without_ids(whole["output"])
    assert (last["status"], last["usage"]) == (whole["status"], whole["usage"])
    for kind, pieces_ in (
        ("output_text", chat.text),
        ("refusal", chat.refusal),
        ("reasoning_text", chat.thought),
    ):
        deltas = [one["delta"] for one in told_in_pieces if one["type"] == f"response.{kind}.delta"]
        assert "".join(deltas) == "".join(pieces_)


@given(chats, st.lists(st.integers(0, 10**6), max_size=5))
def test_every_event_is_one_of_openais(chat: Chat, cuts: list[int]) -> None:
    said = streamed(chat.stream(), cuts)

    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    for event in said:
        assert EVENT.validate_python(event).type == event["type"]
    Response.model_validate_json(told().whole(chat.whole()))


@given(chats)
def test_every_item_begins_grows_and_ends_in_order(chat: Chat) -> None:
    said = streamed(chat.stream(), [])

    assert [event["type"] for event in said[:2]] == ["response.created", "response.in_progress"]
    status = {"length": "incomplete", "content_filter": "incomplete"}.get(chat.finish, "completed")
    assert said[-1]["type"] == f"response.{status}"
    begun: list[str] = []
    ended: dict[int, Json] = {}
    for event in said[2:-1]:
        place = event["output_index"]
        match event["type"]:
            case "response.output_item.added":
                assert place == len(begun)
                begun.append(event["item"]["id"])
            case "response.output_item.done":
                assert place not in ended
                ended[place] = event["item"]
            case _:
                assert event["item_id"] == begun[place]
                assert place not in ended
    assert [ended[place] for place in range(len(begun))] == said[-1]["response"]["output"]


@given(chats, st.integers(0, 10**6))
def test_a_stream_that_is_cut_fails_and_says_so(chat: Chat, cut: int) -> None:
    whole = chat.stream()
    kept = whole[: cut % (whole.index(b'"finish_reason"'))]

    last = streamed(kept, [])[-1]

    assert last["type"] == "response.failed"
    assert EVENT.validate_python(last).response.error.code == "server_error"


@given(st.binary(max_size=60))
def test_whatever_an_engine_sends_is_told_or_is_its_fault(noise: bytes) -> None:
    assert fault_of(lambda: told().feed(noise + b"\n\n")) in (None, 502)
    assert fault_of(lambda: told().whole(noise)) in (None, 502)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
names = st.sampled_from(
    ["content", "tool_calls", "refusal", "reasoning", "function", "id", "index"]
)
odd = st.dictionaries(names, json | st.lists(st.dictionaries(names, json), max_size=2))
heads = st.sampled_from(["choices", "usage", "error", "model", "rag_context"])


@given(st.dictionaries(heads, json), odd, json)
def test_an_odd_chunk_is_told_validly_or_is_the_engines_fault(
    head: Json, delta: Json, logprobs: object
) -> None:
    chunk = {"choices": [{"delta": delta, "logprobs": logprobs, "finish_reason": "stop"}], **head}
    stream, frames = told(), list[bytes]()
    fault = fault_of(lambda: frames.extend(stream.feed(frame(orjson.dumps(chunk)))))
    assert fault in (None, 502)
    if fault is None:
        for event in events(*frames, *stream.close()):
            EVENT.validate_python(event)


def test_an_error_in_mid_stream_ends_the_response_once() -> None:
    stream = told()
    error = {"error": {"message": "Plein.", "type": "overloaded", "code": "rate_limit_exceeded"}}
    said = stream.feed(frame(orjson.dumps(error)) + DONE)

    [event] = events(*said, *stream.close(), stream.failure(Problem(500, "Non.")))

    assert event["type"] == "response.failed"
    assert event["response"]["error"]["code"] == "rate_limit_exceeded"
    assert event["response"]["error"]["message"] == "Plein."


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"choices": []}', b"<html>"])
def test_a_whole_that_is_no_completion_is_the_engines_fault(payload: bytes) -> None:
    with pytest.raises(Problem) as caught:
        told().whole(payload)

    assert caught.value.status == 502
