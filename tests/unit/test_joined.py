"""A stream joined is the answer that was asked whole."""

import orjson
import pytest

from albert.wire.joined import Joined


def joined(*chunks: dict[str, object]) -> dict[str, object]:
    made = Joined()
    for chunk in chunks:
        made.feed(orjson.dumps(chunk).decode())
    value: dict[str, object] = orjson.loads(made.whole())
    return value


def chunk(*choices: dict[str, object], **more: object) -> dict[str, object]:
    return {"id": "1", "object": "chat.completion.chunk", "choices": list(choices), **more}


def delta(**said: object) -> dict[str, object]:
    return {"index": 0, "delta": said, "finish_reason": None}


def test_texts_are_joined_and_the_rest_is_kept() -> None:
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert joined(
        chunk(delta(role="assistant", content=None)),
        chunk(delta(content="Bon")),
        chunk(delta(content="jour")),
        chunk(end),
        chunk(usage=usage),
    ) == {
        "id": "1",
        "object": "chat.completion",
        "usage": usage,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Bonjour"},
                "finish_reason": "stop",
            }
        ],
    }


def test_tool_calls_are_joined_and_lose_their_index() -> None:
    def piece(index: int, **function: str) -> dict[str, object]:
        return delta(tool_calls=[{"index": index, "function": function}])

    first = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    told = joined(
        chunk(delta(tool_calls=[first])),
        chunk(piece(0, arguments='{"x"')),
        chunk(piece(0, arguments=": 1}")),
        chunk(piece(1, name="g", arguments="{}")),
    )
    assert told["choices"] == [
        {
            "index": 0,
            "finish_reason": None,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "a",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"x": 1}'},
                    },
                    {"function": {"name": "g", "arguments": "{}"}},
                ],
            },
        }
    ]


def test_several_choices_are_kept_apart_and_in_order() -> None:
    told = joined(
        {"object": "text_completion", "choices": [{"index": 1, "text": "b"}]},
        {"object": "text_completion", "choices": [{"index": 0, "text": "a"}]},
        {"object": "text_completion", "choices": [{"index": 1, "text": "c"}]},
    )
    assert told == {
        "object": "text_completion",
        "choices": [{"index": 0, "text": "a"}, {"index": 1, "text": "bc"}],
    }


def test_probabilities_follow_one_another() -> None:
    def some(token: str) -> dict[str, object]:
        return {**delta(content=token), "logprobs": {"content": [{"token": token}]}}

    probabilities = {"content": [{"token": "a"}, {"token": "b"}]}
    message = {"role": "assistant", "content": "ab"}
    choice = {"index": 0, "finish_reason": None, "message": message, "logprobs": probabilities}
    assert joined(chunk(some("a")), chunk(some("b")))["choices"] == [choice]


def test_an_error_in_mid_stream_is_kept() -> None:
    made = Joined()
    made.feed('{"error": {"message": "plein"}}')
    assert made.error == {"message": "plein"}


@pytest.mark.parametrize("event", ["", "[]", "{"])
def test_what_is_no_chunk_is_refused(event: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — orjson's or ours
        Joined().feed(event)
