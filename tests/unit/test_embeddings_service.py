"""The embeddings service, on an embedder that needs no weights."""

import asyncio
import base64

import numpy as np
import pytest

from albert.asgi.embeddings import LONGEST
from albert.domain.errors import ModelOverloaded
from albert.inference.batching import Role
from albert.inference.contract import Embedder, Vectors
from albert.serving.embeddings_service import BODY_LIMIT, EmbeddingsService
from albert.testing.models import HashEmbedder
from albert.testing.services import Answered, ask

KEY = "cle-du-service"
RANKING = {"query": "carte passeport", "documents": ["rsa", "passeport", "carte passeport"]}


def call(
    method: str,
    path: str,
    body: object = None,
    *,
    key: str | None = KEY,
    embedder: Embedder | None = None,
) -> Answered:
    service = EmbeddingsService(embedder or HashEmbedder(), key=KEY)
    return asyncio.run(ask(service, method, path, body, key=key))


def code(answered: Answered) -> object:
    detail = answered.json()["error"]
    assert isinstance(detail, dict)
    return detail["code"]


def said(answered: Answered) -> str:
    detail = answered.json()["error"]
    assert isinstance(detail, dict)
    return str(detail["message"])


def results(answered: Answered) -> list[dict[str, object]]:
    found = answered.json()["results"]
    assert isinstance(found, list)
    return found


class TestTheDoor:
    @pytest.mark.parametrize("path", ["/models", "/v1/models", "/embeddings", "/unknown"])
    @pytest.mark.parametrize("key", [None, "", "cle", "clé"])
    def test_without_the_key_nothing_is_said(self, path: str, key: str | None) -> None:
        answered = call("GET", path, key=key)
        assert (answered.status, code(answered)) == (401, "invalid_api_key")

    def test_health_needs_no_key(self) -> None:
        answered = call("GET", "/health", key=None)
        assert answered.status == 200
        assert answered.json() == {"status": "ok", "model": "hash"}

    def test_without_a_key_of_its_own_everybody_may_call(self) -> None:
        service = EmbeddingsService(HashEmbedder())
        assert asyncio.run(ask(service, "GET", "/v1/models", key=None)).status == 200

    def test_an_unknown_path_is_not_found(self) -> None:
        answered = call("GET", "/v1/chat/completions")
        assert (answered.status, code(answered)) == (404, "unknown_url")

    def test_a_wrong_method_is_told_the_right_one(self) -> None:
        answered = call("GET", "/embeddings")
        assert (answered.status, answered.headers["allow"]) == (405, "POST")

    def test_a_large_body_is_read_and_a_larger_one_refused(self) -> None:
        assert call("POST", "/embeddings", b"x" * BODY_LIMIT).status == 400  # not JSON
        assert call("POST", "/embeddings", b"x" * (BODY_LIMIT + 1)).status == 413

    def test_once_told_to_stop_it_is_no_longer_healthy(self) -> None:
        async def scenario() -> Answered:
            service = EmbeddingsService(HashEmbedder())
            service.drain()
            answered = await ask(service, "GET", "/health", key=None)
            await service.close()
            return answered

        answered = asyncio.run(scenario())
        assert (answered.status, answered.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("prefix", ["", "/v1"])
class TestBothPlaces:
    def test_the_model_is_listed(self, prefix: str) -> None:
        listed = call("GET", f"{prefix}/models").json()
        assert listed["object"] == "list"
        assert isinstance(listed["data"], list)
        assert [(card["object"], card["id"]) for card in listed["data"]] == [("model", "hash")]

    def test_vectors_are_given(self, prefix: str) -> None:
        answered = call("POST", f"{prefix}/embeddings", {"input": ["un passeport", "rsa"]})
        assert isinstance(answered.json()["data"], list)
        assert len(answered.json()["data"]) == 2  # type: ignore[arg-type]  # a list: see above
        # words, and two a text
        assert answered.json()["usage"] == {"prompt_tokens": 7, "total_tokens": 7}

    def test_documents_are_ordered(self, prefix: str) -> None:
        answered = call("POST", f"{prefix}/rerank", RANKING)
        assert answered.json()["model"] == "hash"


class TestEmbedding:
    def test_float_and_base64_are_the_same_vectors(self) -> None:
        body = {"input": "un passeport", "model": "hash", "dimensions": 64}
        plain = call("POST", "/embeddings", body).json()["data"]
        packed = call("POST", "/embeddings", body | {"encoding_format": "base64"}).json()["data"]
        assert isinstance(plain, list)
        assert isinstance(packed, list)
        np.testing.assert_array_equal(
            np.array(plain[0]["embedding"], dtype=np.float32),
            np.frombuffer(base64.b64decode(packed[0]["embedding"]), dtype="<f4"),
        )

    @pytest.mark.parametrize("tokens", [[1, 2], [[1, 2], [3]]])
    def test_tokens_are_refused_by_name(self, tokens: object) -> None:
        answered = call("POST", "/embeddings", {"input": tokens})
        assert answered.status == 422
        assert "jetons" in said(answered)

    @pytest.mark.parametrize("size", [32, 65])
    def test_dimensions_that_were_not_trained_are_refused(self, size: int) -> None:
        answered = call("POST", "/embeddings", {"input": "a", "dimensions": size})
        assert answered.status == 400
        assert "64 dimensions" in said(answered)

    def test_the_place_of_an_empty_text_is_told(self) -> None:
        assert "n° 2" in said(call("POST", "/embeddings", {"input": ["a", " "]}))

    def test_2048_texts_are_taken_and_one_more_refused(self) -> None:
        assert call("POST", "/embeddings", {"input": ["a"] * 2048}).status == 200
        assert call("POST", "/embeddings", {"input": ["a"] * 2049}).status == 400

    def test_a_text_of_many_pages_is_refused_with_the_way_out(self) -> None:
        assert call("POST", "/embeddings", {"input": "a" * LONGEST}).status == 200
        answered = call("POST", "/embeddings", {"input": "a" * (LONGEST + 1)})
        assert (answered.status, code(answered)) == (400, "text_too_long")
        assert "découpez" in said(answered)

    def test_another_model_is_not_found(self) -> None:
        answered = call("POST", "/embeddings", {"input": "a", "model": "text-embedding-3-small"})
        assert (answered.status, code(answered)) == (404, "model_not_found")

    def test_a_full_queue_says_when_to_come_back(self) -> None:
        class Full(HashEmbedder):
            async def embed(self, texts: object, *, role: Role) -> Vectors:
                error = ModelOverloaded()
                error.seconds = 7
                raise error

        answered = call("POST", "/embeddings", {"input": "a"}, embedder=Full())
        assert (answered.status, answered.headers["retry-after"]) == (503, "7")


class TestReranking:
    def test_the_nearest_document_comes_first_with_its_cosine(self) -> None:
        found = results(call("POST", "/rerank", RANKING, embedder=Axes()))
        # cosines worked by hand from Axes
        assert [(one["index"], one["relevance_score"]) for one in found] == [
            (2, 1.0),
            (1, pytest.approx(0.6)),
            (0, 0.0),
        ]
        assert "document" not in found[0]

    def test_equals_keep_their_order(self) -> None:
        body = {"query": "passeport", "documents": ["rsa", "passeport", "rsa", "rsa"]}
        found = results(call("POST", "/rerank", body, embedder=Axes()))
        assert [one["index"] for one in found] == [1, 0, 2, 3]

    def test_only_the_best_are_given_with_their_texts_if_asked(self) -> None:
        body = RANKING | {"top_n": 1, "return_documents": True}
        (best,) = results(call("POST", "/rerank", body, embedder=Axes()))
        assert best["document"] == {"text": "carte passeport"}

    def test_more_than_there_are_is_all_there_are(self) -> None:
        assert len(results(call("POST", "/rerank", RANKING | {"top_n": 99}))) == 3

    def test_a_document_may_be_an_object(self) -> None:
        documents = ["rsa", {"text": "carte passeport", "title": "t"}]
        body = {"query": "carte passeport", "documents": documents}
        found = results(call("POST", "/rerank", body, embedder=Axes()))
        assert [one["index"] for one in found] == [1, 0]

    def test_tokens_of_question_and_documents_are_counted(self) -> None:
        # 2 + 1 + 1 + 2 words, and two a text
        answered = call("POST", "/rerank", RANKING).json()
        assert answered["usage"] == {"total_tokens": 14}
        assert isinstance(answered["meta"], dict)
        assert answered["meta"]["tokens"] == {"input_tokens": 14, "output_tokens": 0}

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"query": None}, 400),
            ({"query": " "}, 400),
            ({"query": ["a"]}, 422),
            ({"documents": None}, 400),
            ({"documents": []}, 400),
            ({"documents": "a"}, 422),
            ({"documents": [1]}, 422),
            ({"documents": [{"title": "a"}]}, 422),
            ({"documents": ["a", "\0"]}, 400),
            ({"documents": ["a"] * 2049}, 400),
            ({"top_n": 0}, 400),
            ({"top_n": "1"}, 422),
            ({"return_documents": "yes"}, 422),
            ({"model": "rerank-v3.5"}, 404),
        ],
    )
    def test_what_cannot_be_ordered_is_refused(
        self, change: dict[str, object], status: int
    ) -> None:
        answered = call("POST", "/rerank", RANKING | change)
        assert answered.status == status
        assert said(answered)


class Axes(HashEmbedder):
    """Three texts at angles known by heart."""

    dimension = 2

    def __init__(self) -> None:
        super().__init__(dimension=2)

    async def embed(self, texts: object, *, role: Role) -> Vectors:
        known = {
            "carte passeport": (1.0, 0.0),
            "passeport": (0.6, 0.8),
            "rsa": (0.0, 1.0) if role == "document" else (1.0, 0.0),
        }
        assert isinstance(texts, list | tuple)
        return np.array([known[text] for text in texts], dtype=np.float32)
