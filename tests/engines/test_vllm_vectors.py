"""An entry of type ``embeddings``: the same folder, run by vLLM for its vectors."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from vllm_served import VllmEngine, served

pytest_plugins = ("vllm_fixtures",)


@pytest.fixture(scope="module")
def vectors(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    with served(tiny_llama, "embeddings", tmp_path_factory.mktemp("logs")) as engine:
        yield engine


def test_texts_become_vectors_of_unit_length(vectors: VllmEngine) -> None:
    status, body = vectors.post("v1/embeddings", input=["Le passeport", "Le RSA", "Le passeport"])
    assert status == 200, body
    one, two, again = (row["embedding"] for row in body["data"])
    assert len(one) == 128
    assert math.isclose(sum(x * x for x in one), 1.0, abs_tol=1e-3)
    assert math.isclose(sum(x * y for x, y in zip(one, again, strict=True)), 1.0, abs_tol=1e-3)
    assert sum(x * y for x, y in zip(one, two, strict=True)) < 0.99
    assert body["usage"]["prompt_tokens"] > 0


def test_a_text_that_is_too_long_is_refused_not_cut(vectors: VllmEngine) -> None:
    status, body = vectors.post("v1/embeddings", input="passeport " * 2100)
    assert status == 400
    assert "2048" in body["error"]["message"]


def test_it_writes_nothing(vectors: VllmEngine) -> None:
    status, _ = vectors.post("v1/completions", prompt="Le passeport")
    assert status == 404
