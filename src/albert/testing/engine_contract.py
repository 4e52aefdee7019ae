"""What every engine must do under ``/v1``, whoever launched it; its driver's tests run it whole.

``@pytest.mark.parametrize("check", CHECKS)``, then ``await CHECKS[check](engine)``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from albert.serving.engines.unable import refusal
from albert.wire.sse import Decoder

_STORY = "Tell me a story."


@dataclass(frozen=True, kw_only=True)
class ServedEngine:
    """An engine that is ready, with a window of 512 tokens at least and two slots."""

    base_url: str
    model: str
    key: str = field(repr=False)
    session: aiohttp.ClientSession
    unable: Mapping[str, str] = field(default_factory=dict)
    """What it says it cannot do: a check that needs it then asks for the refusal instead."""
    window: int = 512

    @asynccontextmanager
    async def post(self, path: str, /, **body: object) -> AsyncIterator[aiohttp.ClientResponse]:
        # llama.cpp drops a connection after a stream without a word: it must not be pooled
        headers = {"Authorization": f"Bearer {self.key}", "Connection": "close"}
        asked = {"model": self.model, **body}
        async with self.session.post(self.base_url + path, json=asked, headers=headers) as response:
            yield response

    async def chat(self, **body: object) -> Any:  # noqa: ANN401 — JSON
        asked = {"messages": [{"role": "user", "content": _STORY}], "max_tokens": 8, **body}
        return await self.answer("/chat/completions", **asked)

    async def answer(self, path: str, /, **body: object) -> Any:  # noqa: ANN401 — JSON
        """Return an answer, which must be one."""
        async with self.post(path, **body) as response:
            said = await response.json()
            _must(response.status == 200, f"{path} answers {response.status}: {said}")
            return said


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


async def wants_its_key(engine: ServedEngine) -> None:
    stranger = replace(engine, key="wrong")
    async with stranger.post("/completions", prompt="a", max_tokens=1) as response:
        _must(response.status == 401, f"a wrong key gets {response.status}")


async def lists_its_model(engine: ServedEngine) -> None:
    headers = {"Authorization": f"Bearer {engine.key}", "Connection": "close"}
    async with engine.session.get(engine.base_url + "/models", headers=headers) as response:
        listed = [one["id"] for one in (await response.json())["data"]]
    _must(engine.model in listed, f"{engine.model} is not among {listed}")


async def applies_the_chat_template(engine: ServedEngine) -> None:
    """The roles are tokens too."""
    bare = await engine.answer("/completions", prompt=_STORY, max_tokens=1)
    told = await engine.chat(max_tokens=1)
    _must(
        told["usage"]["prompt_tokens"] > bare["usage"]["prompt_tokens"] + 2,
        f"a chat of {told['usage']} tokens, its text alone {bare['usage']}",
    )


async def stops_where_told(engine: ServedEngine) -> None:
    stop = ["e", "a", "o", "i"]
    (choice,) = (await engine.chat(max_tokens=64, stop=stop))["choices"]
    text = choice["message"]["content"] or ""
    _must(choice["finish_reason"] == "stop", f"it ends by {choice['finish_reason']!r}")
    _must(not set(stop) & set(text), f"{text!r} has what it must stop at")


async def counts_what_it_writes(engine: ServedEngine) -> None:
    usage = (await engine.chat(max_tokens=4, stop=None))["usage"]
    _must(0 < usage["completion_tokens"] <= 4, f"{usage} for at most 4 tokens")
    _must(usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], f"{usage}")


async def gives_log_probabilities(engine: ServedEngine) -> None:
    answer = await engine.chat(max_tokens=3, logprobs=True, top_logprobs=2)
    tokens = answer["choices"][0]["logprobs"]["content"]
    _must(len(tokens) == answer["usage"]["completion_tokens"], "one for each token")
    for token in tokens:
        _must(token["logprob"] <= 0, f"{token['logprob']} is no logarithm of a probability")
        _must(len(token["top_logprobs"]) == 2, "two candidates were asked for")


async def gives_several_answers(engine: ServedEngine) -> None:
    choices = (await engine.chat(n=2, max_tokens=2))["choices"]
    _must([choice["index"] for choice in choices] == [0, 1], f"{choices}")


async def repeats_itself_with_the_same_seed(engine: ServedEngine) -> None:
    asked = {"seed": 7, "temperature": 1.0, "max_tokens": 8}
    await engine.chat(**asked)  # from here on its prompt is cached, which changes the last digits
    texts = [(await engine.chat(**asked))["choices"][0]["message"]["content"] for _ in range(2)]
    _must(texts[0] == texts[1], f"{texts} differ")


async def keeps_to_a_json_schema(engine: ServedEngine) -> None:
    schema = {
        "type": "object",
        "properties": {"couleur": {"enum": ["rouge", "vert"]}},
        "required": ["couleur"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "choix", "schema": schema}}
    answer = await engine.chat(response_format=form, max_tokens=100)
    said = json.loads(answer["choices"][0]["message"]["content"])
    _must(said in ({"couleur": "rouge"}, {"couleur": "vert"}), f"{said} is not of the schema")


_TOOL = {
    "type": "function",
    "function": {
        "name": "meteo",
        "parameters": {
            "type": "object",
            "properties": {"ville": {"type": "string", "enum": ["Paris", "Lyon"]}},
            "required": ["ville"],
            "additionalProperties": False,
        },
    },
}


def _example(number: int, town: str) -> list[dict[str, object]]:
    """A turn that was answered by a call: a small model imitates what it has just read."""
    function = {"name": "meteo", "arguments": json.dumps({"ville": town})}
    call = {"id": f"call{number}", "type": "function", "function": function}
    return [
        {"role": "user", "content": f"Weather in {town}?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]


async def calls_tools_or_says_that_it_cannot(engine: ServedEngine) -> None:
    asked = {"tools": [_TOOL], "tool_choice": "required"}
    if (refused := refusal(asked, engine.unable)) is not None:
        _must(refused[0] == "tools", f"{refused} is not about tools")
        return
    turns = [turn for n, town in enumerate(("Lyon", "Paris", "Lyon")) for turn in _example(n, town)]
    messages = [*turns, {"role": "user", "content": "Weather in Paris?"}]
    answer = await engine.chat(**asked, messages=messages, max_tokens=100, temperature=0)
    (call, *_) = answer["choices"][0]["message"]["tool_calls"]
    _must(call["function"]["name"] == "meteo", f"it calls {call}")
    town = json.loads(call["function"]["arguments"])["ville"]
    _must(town in ("Paris", "Lyon"), f"{town!r} is not of the schema")


async def counts_in_streams_too(engine: ServedEngine) -> None:
    pieces = [
        json.loads(event)
        for event in await _events(engine, max_tokens=3, stream_options={"include_usage": True})
        if event != "[DONE]"
    ]
    (usage,) = [piece["usage"] for piece in pieces if piece.get("usage")]
    _must(1 <= usage["completion_tokens"] <= 3, f"{usage} for at most 3 tokens")
    _must(pieces[-1]["choices"] == [], "the count comes alone, at the end")


async def ends_its_streams(engine: ServedEngine) -> None:
    events = await _events(engine, max_tokens=3)
    _must(events[-1] == "[DONE]", f"it ends with {events[-1]!r}")
    reasons = [json.loads(event)["choices"][0]["finish_reason"] for event in events[:-1]]
    _must(len([reason for reason in reasons if reason]) == 1, f"reasons to finish: {reasons}")


async def _events(engine: ServedEngine, **body: object) -> list[str]:
    asked = {"messages": [{"role": "user", "content": _STORY}], "stream": True, **body}
    decoder = Decoder(strict=True)
    async with engine.post("/chat/completions", **asked) as response:
        _must(response.status == 200, f"a stream gets {response.status}")
        return [event.data for event in decoder.feed(await response.read())]


async def refuses_what_overflows_its_window(engine: ServedEngine) -> None:
    messages = [{"role": "user", "content": "word " * (2 * engine.window)}]
    async with engine.post("/chat/completions", messages=messages) as response:
        _must(response.status == 400, f"too long a question gets {response.status}")
        _must("error" in await response.json(), "the refusal has OpenAI's form")


async def refuses_a_chat_without_messages(engine: ServedEngine) -> None:
    async with engine.post("/chat/completions", max_tokens=1) as response:
        _must(response.status in (400, 422), f"no messages get {response.status}")


async def lets_unknown_fields_pass(engine: ServedEngine) -> None:
    await engine.chat(max_tokens=1, frobnicate=1)


CHECKS: Mapping[str, Callable[[ServedEngine], Coroutine[object, object, None]]] = {
    check.__name__: check
    for check in (
        wants_its_key,
        lists_its_model,
        applies_the_chat_template,
        stops_where_told,
        counts_what_it_writes,
        gives_log_probabilities,
        gives_several_answers,
        repeats_itself_with_the_same_seed,
        keeps_to_a_json_schema,
        calls_tools_or_says_that_it_cannot,
        counts_in_streams_too,
        ends_its_streams,
        refuses_what_overflows_its_window,
        refuses_a_chat_without_messages,
        lets_unknown_fields_pass,
    )
}
