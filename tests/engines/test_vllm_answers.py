"""What vLLM can do passes as it is; what it cannot has its own clear error.

What the model says is noise: only what surrounds it is expected.
"""

import json
from typing import Any

import pytest
from vllm_served import CONTEXT, VllmEngine

from albert.serving.engines.unable import refusal
from albert.serving.engines.vllm import UNABLE

pytest_plugins = ("vllm_fixtures",)

CHAT, COMPLETIONS = "v1/chat/completions", "v1/completions"
QUESTION = [{"role": "user", "content": "Où refaire mon passeport ?"}]
PLACE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "lieu": {"enum": ["Paris", "Lyon"]},
        "ouvert": {"type": "boolean"},
    },
    "required": ["lieu", "ouvert"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "chercher", "strict": True, "parameters": PLACE}}
NAMED = {"type": "function", "function": {"name": "chercher"}}


def is_a_place(text: str) -> bool:
    found = json.loads(text)
    return (
        set(found) == {"lieu", "ouvert"}
        and found["lieu"] in ("Paris", "Lyon")
        and isinstance(found["ouvert"], bool)
    )


def content(answer: dict[str, Any]) -> str:
    text: str = answer["choices"][0]["message"]["content"]
    return text


class TestChatTemplate:
    def test_the_model_reads_the_conversation_as_its_template_says(
        self, vllm_engine: VllmEngine
    ) -> None:
        messages = [{"role": "system", "content": "Sois bref."}, *QUESTION]
        _, read = vllm_engine.post("tokenize", messages=messages)
        _, text = vllm_engine.post("detokenize", tokens=read["tokens"])
        assert text["prompt"] == (
            "<|im_start|>system\nSois bref.<|im_end|>\n"
            "<|im_start|>user\nOù refaire mon passeport ?<|im_end|>\n"
            "<|im_start|>assistant\n"
        )

    def test_its_tokens_are_those_that_are_counted(self, vllm_engine: VllmEngine) -> None:
        _, read = vllm_engine.post("tokenize", messages=QUESTION)
        answer = vllm_engine.chat(max_tokens=1)
        assert answer["usage"]["prompt_tokens"] == len(read["tokens"])


class TestStreams:
    def test_the_pieces_are_the_whole_and_usage_comes_last(self, vllm_engine: VllmEngine) -> None:
        asked: dict[str, Any] = {
            "max_tokens": 12,
            "seed": 7,
            "temperature": 1.0,
            "ignore_eos": True,
        }
        *pieces, last = vllm_engine.stream(
            CHAT, messages=QUESTION, stream_options={"include_usage": True}, **asked
        )
        text = "".join(one["choices"][0]["delta"].get("content") or "" for one in pieces)
        assert text == content(vllm_engine.chat(**asked))
        assert pieces[-1]["choices"][0]["finish_reason"] == "length"
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] == 12

    def test_without_being_asked_no_usage_comes(self, vllm_engine: VllmEngine) -> None:
        pieces = vllm_engine.stream(CHAT, messages=QUESTION, max_tokens=2)
        assert not any(piece.get("usage") for piece in pieces)

    def test_completions_stream_too(self, vllm_engine: VllmEngine) -> None:
        pieces = vllm_engine.stream(COMPLETIONS, prompt="Le passeport", max_tokens=5)
        assert pieces[-1]["choices"][0]["finish_reason"] == "length"
        assert "".join(piece["choices"][0]["text"] for piece in pieces)


class TestSampling:
    def test_a_stop_ends_the_answer_and_is_not_in_it(self, vllm_engine: VllmEngine) -> None:
        answer = vllm_engine.chat(
            max_tokens=50, stop=["|"], structured_outputs={"choice": ["avant|apres"]}
        )
        assert content(answer) == "avant"
        assert answer["choices"][0]["finish_reason"] == "stop"

    def test_log_probabilities_are_those_of_what_was_written(self, vllm_engine: VllmEngine) -> None:
        answer = vllm_engine.chat(
            max_tokens=20,
            logprobs=True,
            top_logprobs=2,
            structured_outputs={"choice": ["complémentaire"]},
        )
        tokens = answer["choices"][0]["logprobs"]["content"]
        written = b"".join(bytes(token["bytes"]) for token in tokens).decode()
        assert written.removesuffix("<|im_end|>") == content(answer) == "complémentaire"
        for token in tokens:
            likely = {one["token"]: one["logprob"] for one in token["top_logprobs"]}
            assert len(likely) >= 2
            assert likely[token["token"]] == token["logprob"] <= 0

    def test_n_answers_come_and_are_counted(self, vllm_engine: VllmEngine) -> None:
        answer = vllm_engine.chat(n=3, max_tokens=4, temperature=1.0, ignore_eos=True)
        assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
        assert answer["usage"]["completion_tokens"] == 12

    def test_a_seed_gives_the_same_answer_again_and_another_another(
        self, vllm_engine: VllmEngine
    ) -> None:
        asked: dict[str, Any] = {"max_tokens": 16, "temperature": 1.0, "ignore_eos": True}
        one, again, other = (content(vllm_engine.chat(seed=seed, **asked)) for seed in (1, 1, 2))
        assert one == again
        assert one != other

    def test_several_prompts_are_completed_at_once(self, vllm_engine: VllmEngine) -> None:
        _, body = vllm_engine.post(
            COMPLETIONS, prompt=["Le passeport", "Le RSA"], max_tokens=3, echo=True
        )
        texts = [choice["text"] for choice in body["choices"]]
        assert [text.startswith(("Le passeport", "Le RSA")) for text in texts] == [True, True]
        assert texts[0] != texts[1]

    def test_what_was_read_before_is_said_to_be(self, vllm_engine: VllmEngine) -> None:
        long = "Le conservatoire enseigne la musique aux enfants. " * 40
        first, again = (vllm_engine.chat(long, max_tokens=1)["usage"] for _ in range(2))
        assert first["prompt_tokens"] > 256
        assert first["prompt_tokens_details"]["cached_tokens"] == 0
        assert again["prompt_tokens_details"]["cached_tokens"] >= 128


class TestStructure:
    def test_a_json_schema_is_obeyed(self, vllm_engine: VllmEngine) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "lieu", "schema": PLACE}}
        assert is_a_place(content(vllm_engine.chat(max_tokens=100, response_format=form)))

    def test_a_named_tool_is_called_with_its_arguments(self, vllm_engine: VllmEngine) -> None:
        answer = vllm_engine.chat(max_tokens=200, tools=[TOOL], tool_choice=NAMED)
        (call,) = answer["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "chercher"
        assert is_a_place(call["function"]["arguments"])

    def test_a_tool_call_streams(self, vllm_engine: VllmEngine) -> None:
        pieces = vllm_engine.stream(
            CHAT, messages=QUESTION, max_tokens=200, tools=[TOOL], tool_choice=NAMED
        )
        calls = [
            call
            for piece in pieces
            for call in piece["choices"][0]["delta"].get("tool_calls") or ()
        ]
        assert "chercher" in {call["function"].get("name") for call in calls}
        assert is_a_place("".join(call["function"].get("arguments") or "" for call in calls))

    def test_what_a_tool_found_is_read(self, vllm_engine: VllmEngine) -> None:
        call = {"name": "chercher", "arguments": '{"lieu":"Lyon","ouvert":true}'}
        status, body = vllm_engine.post(
            CHAT,
            max_tokens=2,
            tools=[TOOL],
            messages=[
                *QUESTION,
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"id": "a1", "type": "function", "function": call}],
                },
                {"role": "tool", "tool_call_id": "a1", "content": "12 rue du Lac"},
            ],
        )
        assert status == 200, body

    def test_responses_are_given(self, vllm_engine: VllmEngine) -> None:
        status, body = vllm_engine.post("v1/responses", input="Bonjour", max_output_tokens=8)
        assert status == 200, body
        assert body["usage"]["output_tokens"] == 8


IMAGE = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}}
NOT_A_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "rien"}}}
UNKNOWN_TOOL = {"type": "function", "function": {"name": "autre"}}
TOO_LONG = "passeport " * CONTEXT

REFUSED: list[tuple[str, dict[str, object], int, str]] = [
    (CHAT, {"messages": [{"role": "user", "content": TOO_LONG}]}, 400, "2048"),
    (COMPLETIONS, {"prompt": TOO_LONG}, 400, "2048"),
    (CHAT, {"messages": QUESTION, "max_tokens": CONTEXT + 1}, 400, "max_tokens"),
    (CHAT, {"messages": QUESTION, "temperature": -1}, 400, "temperature"),
    (CHAT, {"messages": QUESTION, "logprobs": True, "top_logprobs": 50}, 400, "logprobs"),
    (CHAT, {"messages": QUESTION, "model": "autre"}, 404, "autre"),
    (CHAT, {"messages": QUESTION, "tools": [TOOL], "tool_choice": UNKNOWN_TOOL}, 400, "tool"),
    (CHAT, {"messages": QUESTION, "response_format": NOT_A_SCHEMA}, 400, "rien"),
    (CHAT, {"messages": [{"role": "user", "content": [IMAGE]}]}, 400, "multimodal"),
    (COMPLETIONS, {"prompt": "Le ", "suffix": " est"}, 400, "suffix"),
]


@pytest.mark.parametrize(("path", "fields", "status", "names"), REFUSED)
def test_what_it_cannot_do_is_refused_and_the_reason_named(
    vllm_engine: VllmEngine, path: str, fields: dict[str, object], status: int, names: str
) -> None:
    answered, body = vllm_engine.post(path, **fields)
    assert answered == status
    assert names in body["error"]["message"]


def test_a_model_that_writes_has_no_vectors(vllm_engine: VllmEngine) -> None:
    status, _ = vllm_engine.post("v1/embeddings", input="Bonjour")
    assert status == 404


ASKED: dict[str, object] = {
    "audio": {"voice": "alloy", "format": "wav"},
    "best_of": 2,
    "functions": [TOOL["function"]],
    "web_search_options": {"search_context_size": "low"},
}


@pytest.mark.parametrize("field", UNABLE)
def test_what_it_passes_over_in_silence_is_what_we_refuse_before(
    vllm_engine: VllmEngine, field: str
) -> None:
    asked = {field: ASKED[field]}
    status, body = vllm_engine.post(CHAT, messages=QUESTION, max_tokens=1, **asked)
    assert status == 200, body
    refused = refusal(asked, UNABLE)
    assert refused is not None
    assert refused[0] == field
