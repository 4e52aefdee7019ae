"""The OpenAI-compatible routes but chat: models, embeddings, and what is refused at the door."""

import asyncio
import base64
import struct
from dataclasses import replace

import pytest
from starlette.types import Message

from albert.api.app import create_app
from albert.testing.services import KEY, Answered, CountingEmbedder, ask, scripted


def call(
    method: str, path: str, body: object = None, *, key: str | None = KEY, **headers: str
) -> Answered:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(ask(create_app(scripted()), method, path, body, key=key, headers=sent))


def code(answered: Answered) -> object:
    detail = answered.json()["error"]
    assert isinstance(detail, dict)
    return detail["code"]


def vectors(answered: Answered) -> list[object]:
    data = answered.json()["data"]
    assert isinstance(data, list)
    return [item["embedding"] for item in data]


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_extraction_is_a_model_like_the_others(prefix: str) -> None:
    listed = call("GET", f"{prefix}/models").json()

    assert isinstance(listed["data"], list)
    assert [(card["id"], card["object"]) for card in listed["data"]] == [
        ("albert-extractif", "model"),
        ("test-embedder", "model"),
    ]


def test_one_model_can_be_read() -> None:
    assert call("GET", "/v1/models/albert-extractif").json()["id"] == "albert-extractif"
    assert call("GET", "/v1/models/gpt-9").status == 404


class TestEmbeddings:
    def test_a_text_is_a_passage_unless_said_otherwise(self) -> None:
        passage = call("POST", "/v1/embeddings", {"input": "un passeport"})
        query = call("POST", "/v1/embeddings", {"input": "un passeport", "doc_type": "query"})

        assert (vectors(passage), vectors(query)) == ([[0.0, 1.0]], [[1.0, 0.0]])
        assert passage.json()["usage"] == {"prompt_tokens": 2, "total_tokens": 2}

    def test_several_texts_keep_their_order(self) -> None:
        answered = call("POST", "/v1/embeddings", {"input": ["a", "b"]}).json()

        assert isinstance(answered["data"], list)
        assert [item["index"] for item in answered["data"]] == [0, 1]

    def test_base64_is_of_little_endian_floats(self) -> None:
        body = {"input": "a", "encoding_format": "base64"}

        [encoded] = vectors(call("POST", "/v1/embeddings", body))

        assert isinstance(encoded, str)
        assert struct.unpack("<2f", base64.b64decode(encoded)) == (0.0, 1.0)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"input": []},
            {"input": ""},
            {"input": ["a", " "]},
            {"input": "a\0"},
            {"input": "a", "dimensions": 3},
            {"input": "a", "doc_type": "poem"},
            {"input": "a", "encoding_format": "int8"},
            {"input": ["a"] * 2049},
        ],
    )
    def test_what_cannot_be_embedded_is_refused(self, body: object) -> None:
        assert call("POST", "/v1/embeddings", body).status == 400

    def test_what_is_no_text_is_422(self) -> None:
        assert call("POST", "/v1/embeddings", {"input": [None]}).status == 422

    @pytest.mark.parametrize("tokens", [[1, 2], [[1, 2], [3]]])
    def test_tokens_of_another_model_are_refused_with_the_way_out(self, tokens: object) -> None:
        answered = call("POST", "/v1/embeddings", {"input": tokens})

        assert answered.status == 422
        assert b"check_embedding_ctx_length=False" in answered.body

    def test_the_models_own_dimensions_may_be_asked_for(self) -> None:
        assert call("POST", "/v1/embeddings", {"input": "a", "dimensions": 2}).status == 200

    def test_another_model_is_not_found(self) -> None:
        answered = call("POST", "/v1/embeddings", {"input": "a", "model": "albert-extractif"})

        assert (answered.status, code(answered)) == (404, "model_not_found")


class TestTheDoor:
    @pytest.mark.parametrize("key", [None, "", "albert-another"])
    def test_without_the_key_nothing_is_said(self, key: str | None) -> None:
        answered = call("GET", "/v1/models", key=key)

        assert (answered.status, code(answered)) == (401, "invalid_api_key")
        assert answered.headers["www-authenticate"] == "Bearer"

    def test_another_scheme_is_refused(self) -> None:
        answered = call("GET", "/v1/models", key=None, authorization=f"Basic {KEY}")

        assert answered.status == 401

    def test_an_unknown_path_is_not_found(self) -> None:
        answered = call("GET", "/v1/fine-tuning")

        assert (answered.status, code(answered)) == (404, "unknown_url")

    def test_a_wrong_method_is_told_the_right_one(self) -> None:
        answered = call("GET", "/v1/chat/completions")

        assert (answered.status, code(answered)) == (405, "method_not_allowed")
        assert answered.headers["allow"] == "POST"

    def test_more_than_a_mebibyte_is_too_large(self) -> None:
        answered = call("POST", "/v1/embeddings", b"x" * ((1 << 20) + 1))

        assert (answered.status, code(answered)) == (413, "request_too_large")

    def test_a_mebibyte_is_read(self) -> None:
        assert call("POST", "/v1/embeddings", b"x" * (1 << 20)).status == 400  # not JSON

    def test_a_request_keeps_the_name_its_caller_gave_it(self) -> None:
        assert call("GET", "/v1/models", x_request_id="a-1").headers["x-request-id"] == "a-1"

    def test_a_name_that_could_forge_a_header_is_replaced(self) -> None:
        answered = call("GET", "/v1/models", x_request_id="a\r\nset-cookie: b")

        assert len(answered.headers["x-request-id"]) == 32


class TestDefects:
    def test_a_defect_of_ours_is_told_without_its_details(self) -> None:
        class Broken(CountingEmbedder):
            def token_count(self, text: str) -> int:
                raise ZeroDivisionError(text)

        services = replace(scripted(), embedder=Broken())
        said: list[Message] = []

        async def main() -> None:
            await ask(create_app(services), "POST", "/v1/embeddings", {"input": "a"}, heard=said)

        with pytest.raises(ZeroDivisionError):  # for the server's log
            asyncio.run(main())
        assert said[0]["status"] == 500
        assert b'"code":"internal_error"' in said[1]["body"]


class TestCompletions:
    @pytest.mark.parametrize(
        ("model", "status", "expected", "hint"),
        [
            ("albert-extractif", 400, "model_not_supported", "chat/completions"),
            (None, 400, "model_not_supported", "chat/completions"),
            ("test-embedder", 400, "model_not_supported", "embeddings"),
            ("gpt-9", 404, "model_not_found", "gpt-9"),
        ],
    )
    def test_what_is_no_language_model_completes_nothing(
        self, model: str | None, status: int, expected: str, hint: str
    ) -> None:
        answered = call("POST", "/v1/completions", {"model": model, "prompt": "La capitale"})

        assert (answered.status, code(answered)) == (status, expected)
        assert hint in answered.body.decode()


class TestKeptResponses:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "responses/resp_1"),
            ("DELETE", "responses/resp_1"),
            ("GET", "responses/resp_1/input_items"),
            ("POST", "responses/resp_1/cancel"),
        ],
    )
    def test_there_is_none_and_it_is_said(self, method: str, path: str) -> None:
        answered = call(method, f"/v1/{path}")

        assert (answered.status, code(answered)) == (404, "response_not_found")

    @pytest.mark.parametrize("path", ["responses/input_tokens", "responses/a/b/c"])
    def test_what_openai_has_besides_is_an_unknown_address(self, path: str) -> None:
        assert code(call("POST", f"/v1/{path}", {})) == "unknown_url"

    def test_responses_are_asked_by_post(self) -> None:
        assert call("GET", "/v1/responses").headers["allow"] == "POST"
