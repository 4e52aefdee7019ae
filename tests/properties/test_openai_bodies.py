"""Whatever is sent, the answer is one of OpenAI's form, and never our fault."""

import asyncio

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from albert.api.app import create_app
from albert.testing.services import ask, scripted

APP = create_app(scripted())

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ROLES = ["system", "user", "assistant", "tool", "king"]
parts = st.fixed_dictionaries({"type": st.just("text") | json, "text": st.text(max_size=5) | json})
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(ROLES) | json, "content": st.text(max_size=9) | st.lists(parts) | json}
)
items = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "function_call_output"]) | json},
    optional={
        "role": st.sampled_from(ROLES),
        "content": st.text(max_size=9) | st.lists(parts) | json,
        **dict.fromkeys(("call_id", "name", "arguments", "output"), st.text(max_size=3) | json),
    },
)
responses = st.fixed_dictionaries(
    {"input": st.text(max_size=9) | st.lists(items, max_size=3) | json},
    optional=dict.fromkeys(
        (
            *("model", "stream", "instructions", "tools", "tool_choice", "text", "reasoning"),
            *("metadata", "include", "top_logprobs", "rag", "prompt", "background", "user"),
        ),
        json,
    ),
)
bodies = st.fixed_dictionaries(
    {"messages": st.lists(messages, max_size=3) | json},
    optional={
        "model": st.just("albert-extractif") | json,
        "rag": st.dictionaries(st.sampled_from(["strategy", "limit", "mode", "sources"]), json),
        **dict.fromkeys(("stream", "stream_options", "temperature", "max_tokens", "stop"), json),
    },
)
contents = st.one_of(
    st.binary(max_size=50), *(each.map(orjson.dumps) for each in (json, bodies, responses))
)
ROUTES = ["chat/completions", "completions", "responses", "embeddings"]


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(ROUTES), contents)
def test_no_body_is_an_error_of_ours(route: str, content: bytes) -> None:
    answered = asyncio.run(ask(APP, "POST", f"/v1/{route}", content))

    assert answered.status in {200, 400, 404, 422}
    if answered.status != 200:
        detail = answered.json()["error"]
        assert isinstance(detail, dict)
        assert set(detail) == {"message", "type", "param", "code"}
