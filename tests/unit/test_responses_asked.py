"""A call to responses, put as a call to chat/completions."""

from typing import Any

import pytest

from albert.api.v1.responses.asked import repeated, to_chat
from albert.asgi.problems import Problem

Json = dict[str, Any]


def messages(input_: object, **more: object) -> object:
    return to_chat({"input": input_, **more})["messages"]


class TestInput:
    def test_a_text_is_a_users_message(self) -> None:
        assert messages("Bonjour") == [{"role": "user", "content": "Bonjour"}]

    def test_instructions_come_first(self) -> None:
        assert messages("Bonjour", instructions="Soyez bref.") == [
            {"role": "system", "content": "Soyez bref."},
            {"role": "user", "content": "Bonjour"},
        ]

    def test_parts_of_text_become_one_text(self) -> None:
        said: list[Json] = [
            {"role": "developer", "content": [{"type": "input_text", "text": "Soyez bref."}]},
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": "Oui.", "annotations": []},
                    {"type": "refusal", "refusal": "Non."},
                ],
            },
        ]
        assert messages(said) == [
            {"role": "system", "content": "Soyez bref."},
            {"role": "assistant", "content": "Oui.\nNon."},
        ]

    def test_an_image_of_the_request_itself_passes(self) -> None:
        image = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
        text = {"type": "input_text", "text": "Qu'est-ce ?"}
        assert messages([{"role": "user", "content": [text, image]}]) == [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Qu'est-ce ?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ],
            }
        ]

    def test_calls_and_what_they_gave_keep_their_ids(self) -> None:
        said: list[Json] = [
            {"role": "user", "content": "Quel temps ?"},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "function_call", "call_id": "a", "name": "temps", "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "vent", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "beau"},
            {
                "type": "function_call_output",
                "call_id": "b",
                "output": [{"type": "input_text", "text": "faible"}],
            },
        ]
        calls = [
            {"id": "a", "type": "function", "function": {"name": "temps", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "vent", "arguments": "{}"}},
        ]
        assert messages(said) == [
            {"role": "user", "content": "Quel temps ?"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "content": "beau", "tool_call_id": "a"},
            {"role": "tool", "content": "faible", "tool_call_id": "b"},
        ]


def test_fields_that_have_another_name_or_place_are_moved_and_the_rest_passes() -> None:
    tool = {"type": "function", "name": "temps", "parameters": {"type": "object"}, "strict": True}
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    chat = to_chat(
        {
            "model": "grand",
            "input": "?",
            "stream": True,
            "stream_options": {"include_obfuscation": False},
            "temperature": 0.5,
            "max_output_tokens": 9,
            "top_logprobs": 2,
            "tools": [tool],
            "tool_choice": {"type": "function", "name": "temps"},
            "parallel_tool_calls": False,
            "text": {
                "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True},
                "verbosity": "low",
            },
            "reasoning": {"effort": "low", "summary": "auto"},
            "metadata": {"dossier": "1"},
            "store": True,
            "truncation": "auto",
            "include": ["reasoning.encrypted_content"],
            "user": "agent",
            "seed": 3,
            "rag": {"strategy": "last"},
            "previous_response_id": None,
        }
    )
    assert chat == {
        "model": "grand",
        "messages": [{"role": "user", "content": "?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 9,
        "logprobs": True,
        "top_logprobs": 2,
        "tools": [
            {
                "type": "function",
                "function": {"name": "temps", "parameters": {"type": "object"}, "strict": True},
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "temps"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": schema, "strict": True},
        },
        "verbosity": "low",
        "reasoning_effort": "low",
        "user": "agent",
        "seed": 3,
        "rag": {"strategy": "last"},
    }


def test_a_json_object_is_asked_for_as_such() -> None:
    chat = to_chat({"input": "?", "text": {"format": {"type": "json_object"}}})
    assert chat["response_format"] == {"type": "json_object"}


def test_what_is_asked_to_be_stored_is_answered_as_not_stored() -> None:
    told = repeated({"input": "?", "store": True, "truncation": "auto"})
    assert (told["store"], told["truncation"]) == (False, "disabled")


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({}, 422, "input"),
        ({"input": 3}, 422, "input"),
        ({"input": []}, 400, "input"),
        ({"input": ["a"]}, 422, "input.[0]"),
        ({"input": [{"role": "king", "content": "a"}]}, 400, "input.[0].role"),
        ({"input": [{"role": "user", "content": None}]}, 422, "input.[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, 400, None),
        ({"input": [{"role": "user", "content": ["a"]}]}, 422, None),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 400, "input.[0]"),
        ({"input": [{"type": "web_search_call"}]}, 400, "input.[0].type"),
        ({"input": [{"type": ["message"]}]}, 400, "input.[0].type"),
        ({"input": [{"type": "function_call", "call_id": "a"}]}, 422, "input.[0].name"),
        ({"input": "a", "previous_response_id": "resp_1"}, 400, "previous_response_id"),
        ({"input": "a", "conversation": "conv_1"}, 400, "conversation"),
        ({"input": "a", "prompt": {"id": "p"}}, 400, "prompt"),
        ({"input": "a", "background": True}, 400, "background"),
        ({"input": "a", "instructions": 3}, 422, "instructions"),
        ({"input": "a", "temperature": 3}, 400, "temperature"),
        ({"input": "a", "max_output_tokens": 0}, 400, "max_output_tokens"),
        ({"input": "a", "metadata": {"a": 1}}, 422, "metadata"),
        ({"input": "a", "truncation": "some"}, 400, "truncation"),
        ({"input": "a", "tools": {}}, 422, "tools"),
        ({"input": "a", "tools": [{"type": "web_search"}]}, 400, "tools.[0].type"),
        ({"input": "a", "tools": [{"type": "function"}]}, 422, "tools.[0].name"),
        ({"input": "a", "tool_choice": {"type": "mcp"}}, 400, "tool_choice"),
        ({"input": "a", "tool_choice": ["auto"]}, 400, "tool_choice"),
        ({"input": "a", "text": {"format": {"type": "xml"}}}, 400, "text.format.type"),
        ({"input": "a", "text": {"format": {"type": "json_schema"}}}, 400, "text.format"),
        ({"input": "a", "text": "plain"}, 422, "text"),
        ({"input": "a", "top_logprobs": 21}, 400, "top_logprobs"),
        ({"input": "a", "include": 3}, 422, "include"),
        ({"input": "a", "reasoning": {"effort": 3}}, 422, "reasoning.effort"),
    ],
)
def test_a_bad_field_is_named(fields: Json, status: int, param: str | None) -> None:
    with pytest.raises(Problem) as caught:
        to_chat(fields)

    assert caught.value.status == status
    assert param is None or caught.value.param == param


def test_an_image_by_its_address_is_refused() -> None:
    image = {"type": "input_image", "image_url": "http://127.0.0.1/admin"}
    with pytest.raises(Problem, match="data:image"):
        to_chat({"input": [{"role": "user", "content": [image]}]})
