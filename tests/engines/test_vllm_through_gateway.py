"""Real vLLM behind our gateway, as OpenAI's own client meets it, and what is kept of each call."""

import asyncio
import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from openai.types.chat import ChatCompletionMessageFunctionToolCall as FunctionCall
from openai.types.shared_params import FunctionDefinition
from vllm_gateway import MODEL, Behind, through
from vllm_served import CONTEXT, RUNNING, WRITTEN, VllmEngine, metrics, until

from albert.api.call import Call

pytest_plugins = ("vllm_fixtures",)

MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [
    {"role": "user", "content": "Où refaire mon passeport ?"}
]
EXACTLY: dict[str, Any] = {
    "max_tokens": 12,
    "temperature": 1.0,
    "seed": 7,
    "extra_body": {"ignore_eos": True},
}
LONG: dict[str, Any] = {"max_tokens": CONTEXT - 100, "extra_body": {"ignore_eos": True}}
PIECES = 5
PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {"lieu": {"enum": ["Paris", "Lyon"]}},
    "required": ["lieu"],
    "additionalProperties": False,
}
TOOL: FunctionDefinition = {"name": "aller", "strict": True, "parameters": PLACE}
"""Not strict, vLLM takes any JSON value for its arguments."""


def is_a_place(text: str | None) -> bool:
    return json.loads(text or "") in ({"lieu": "Paris"}, {"lieu": "Lyon"})


def counts(call: Call) -> tuple[int, int, int]:
    return call.status, call.prompt_tokens, call.completion_tokens


class TestChat:
    def test_whole_it_is_what_the_engine_says_and_counts(self, vllm_engine: VllmEngine) -> None:
        asked = {key: value for key, value in EXACTLY.items() if key != "extra_body"}
        alone = vllm_engine.chat(**asked, ignore_eos=True)

        async def scenario(behind: Behind) -> None:
            answer = await behind.client.chat.completions.create(
                model=MODEL, messages=MESSAGES, **EXACTLY
            )
            assert answer.choices[0].message.content == alone["choices"][0]["message"]["content"]
            assert answer.usage is not None
            assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (
                alone["usage"]["prompt_tokens"],
                12,
            )
            call = await behind.call()
            assert counts(call) == (200, alone["usage"]["prompt_tokens"], 12)
            assert (call.operation, call.stream) == ("chat/completions", False)
            assert call.replica == vllm_engine.base_url

        through(vllm_engine, scenario)

    @pytest.mark.parametrize("asks", [True, False])
    def test_streamed_its_usage_is_kept_and_told_to_who_asks(
        self, vllm_engine: VllmEngine, asks: bool
    ) -> None:
        asked = {key: value for key, value in EXACTLY.items() if key != "extra_body"}
        alone = vllm_engine.chat(**asked, ignore_eos=True)
        usage: dict[str, Any] = {"stream_options": {"include_usage": True}} if asks else {}

        async def scenario(behind: Behind) -> None:
            stream = await behind.client.chat.completions.create(
                model=MODEL, messages=MESSAGES, stream=True, **usage, **EXACTLY
            )
            chunks = [chunk async for chunk in stream]
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            assert text == alone["choices"][0]["message"]["content"]
            told = [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]
            assert told == ([12] if asks else [])
            assert [bool(chunk.choices) for chunk in chunks].count(False) == len(told)
            call = await behind.call()
            assert counts(call) == (200, alone["usage"]["prompt_tokens"], 12)
            assert call.stream

        through(vllm_engine, scenario)

    def test_n_answers_are_given_and_all_counted(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            answer = await behind.client.chat.completions.create(
                model=MODEL, messages=MESSAGES, n=3, **EXACTLY
            )
            assert [choice.index for choice in answer.choices] == [0, 1, 2]
            assert (await behind.call()).completion_tokens == 36

        through(vllm_engine, scenario)

    def test_a_json_schema_is_obeyed(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            answer = await behind.client.chat.completions.create(
                model=MODEL,
                messages=MESSAGES,
                max_tokens=100,
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "lieu", "schema": PLACE, "strict": True},
                },
            )
            assert is_a_place(answer.choices[0].message.content)

        through(vllm_engine, scenario)

    def test_a_tool_that_is_named_is_called(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            answer = await behind.client.chat.completions.create(
                model=MODEL,
                messages=MESSAGES,
                max_tokens=200,
                tools=[{"type": "function", "function": TOOL}],
                tool_choice={"type": "function", "function": {"name": "aller"}},
            )
            (made,) = answer.choices[0].message.tool_calls or list[FunctionCall]()
            assert isinstance(made, FunctionCall)
            assert made.function.name == "aller"
            assert is_a_place(made.function.arguments)

        through(vllm_engine, scenario)


def test_a_text_is_completed(vllm_engine: VllmEngine) -> None:
    async def scenario(behind: Behind) -> None:
        answer = await behind.client.completions.create(
            model=MODEL, prompt="Le passeport", **EXACTLY
        )
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage is not None
        call = await behind.call()
        assert counts(call) == (200, answer.usage.prompt_tokens, 12)
        assert call.operation == "completions"

    through(vllm_engine, scenario)


class TestResponses:
    def test_whole_it_is_the_text_and_the_count_of_the_engine(
        self, vllm_engine: VllmEngine
    ) -> None:
        async def scenario(behind: Behind) -> None:
            answer = await behind.client.responses.create(
                model=MODEL, input="Bonjour", max_output_tokens=8, extra_body={"ignore_eos": True}
            )
            assert answer.output_text
            assert answer.usage is not None
            call = await behind.call()
            assert counts(call) == (200, answer.usage.input_tokens, answer.usage.output_tokens)
            assert 0 < call.completion_tokens <= 8

        through(vllm_engine, scenario)

    def test_streamed_it_comes_in_pieces_to_its_end(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            events = await behind.client.responses.create(
                model=MODEL, input="Bonjour", max_output_tokens=8, stream=True
            )
            text, last = "", None
            async for event in events:
                last = event
                if event.type == "response.output_text.delta":
                    text += event.delta
            assert last is not None
            assert last.type in ("response.incomplete", "response.completed")
            assert last.response.output_text == text
            assert last.response.usage is not None
            call = await behind.call()
            assert counts(call)[1:] == (
                last.response.usage.input_tokens,
                last.response.usage.output_tokens,
            )
            assert call.completion_tokens > 0

        through(vllm_engine, scenario)


class TestRefusals:
    def test_the_engines_own_is_passed_on_and_the_replica_not_blamed(
        self, vllm_engine: VllmEngine
    ) -> None:
        async def scenario(behind: Behind) -> None:
            chat = behind.client.chat.completions
            for _ in range(3):
                with pytest.raises(openai.BadRequestError, match="temperature"):
                    await chat.create(model=MODEL, messages=MESSAGES, temperature=-1)
                call = await behind.call()
                assert (call.status, call.attempts) == (400, 1)
            answer = await chat.create(model=MODEL, messages=MESSAGES, max_tokens=1)
            assert answer.choices

        through(vllm_engine, scenario)

    def test_a_question_too_long_is_told_as_the_engine_tells_it(
        self, vllm_engine: VllmEngine
    ) -> None:
        async def scenario(behind: Behind) -> None:
            with pytest.raises(openai.BadRequestError, match=str(CONTEXT)):
                await behind.client.completions.create(model=MODEL, prompt="passeport " * CONTEXT)

        through(vllm_engine, scenario)

    def test_a_model_that_writes_is_not_asked_for_vectors(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            with pytest.raises(openai.BadRequestError, match="écrit du texte") as caught:
                await behind.client.embeddings.create(model=MODEL, input="Bonjour")
            assert caught.value.code == "model_unfit"

        through(vllm_engine, scenario)


class TestReadersWhoLeave:
    def test_a_stream_that_is_closed_is_aborted(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            async with vllm_engine.session() as watching:
                await until(watching, RUNNING, 0)
                before = (await metrics(watching))[WRITTEN]
                stream = await left_in_the_middle(behind)
                assert (await metrics(watching))[RUNNING] == 1
                await stream.close()
                async with asyncio.timeout(1):
                    await until(watching, RUNNING, 0)
                assert (await metrics(watching))[WRITTEN] - before < LONG["max_tokens"]
                assert (await behind.call()).status == 499

        through(vllm_engine, scenario)

    def test_what_they_were_told_is_counted(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            await (await left_in_the_middle(behind)).close()
            assert PIECES - 1 <= (await behind.call()).completion_tokens < LONG["max_tokens"]

        through(vllm_engine, scenario)

    def test_an_answer_nobody_waits_for_any_more_is_aborted(self, vllm_engine: VllmEngine) -> None:
        async def scenario(behind: Behind) -> None:
            async with vllm_engine.session() as watching:
                await until(watching, RUNNING, 0)
                before = (await metrics(watching))[WRITTEN]
                asked = asyncio.create_task(
                    behind.client.chat.completions.create(model=MODEL, messages=MESSAGES, **LONG)
                )
                await until(watching, RUNNING, 1)
                asked.cancel()
                await asyncio.wait((asked,))
                async with asyncio.timeout(1):
                    await until(watching, RUNNING, 0)
                assert (await metrics(watching))[WRITTEN] - before < LONG["max_tokens"]
                assert (await behind.call()).status == 499

        through(vllm_engine, scenario)


async def left_in_the_middle(behind: Behind) -> openai.AsyncStream[ChatCompletionChunk]:
    """Return a long answer, of which ``PIECES`` were read."""
    stream: openai.AsyncStream[ChatCompletionChunk] = await behind.client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, **LONG
    )
    for _ in range(PIECES):
        await anext(stream)
    return stream
