"""A batch gives what single texts give, whoever else asks, whatever the sizes."""

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from albert.inference.batching import Batcher, Role
from albert.inference.contract import Vectors
from albert.testing.models import HashEmbedder

words = st.text("abcdé ", min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
calls = st.lists(
    st.tuples(st.sampled_from(["query", "document"]), st.lists(words, max_size=9)), max_size=8
)


class Yielding(HashEmbedder):
    """Gives way between batches, as a real engine does; counts the texts it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = 0

    async def embed(self, texts: object, *, role: Role) -> Vectors:
        assert isinstance(texts, list)
        self.texts += len(texts)
        await asyncio.sleep(0)
        return await super().embed(texts, role=role)


@given(calls, st.integers(1, 5), st.integers(1, 3))
def test_batched_is_single_bit_for_bit(
    asked: list[tuple[Role, list[str]]], batch: int, concurrent: int
) -> None:
    async def play() -> None:
        engine, single = Yielding(), HashEmbedder()
        batcher = Batcher(engine, batch=batch, concurrent=concurrent)
        answers = await asyncio.gather(*(batcher.embed(texts, role=role) for role, texts in asked))
        for (role, texts), rows in zip(asked, answers, strict=True):
            np.testing.assert_array_equal(rows, await single.embed(texts, role=role))
        assert engine.texts == sum(len(texts) for _, texts in asked)

    asyncio.run(play())


@given(calls, st.sets(st.integers(0, 7)), st.integers(1, 4))
def test_those_who_leave_take_nothing_from_those_who_stay(
    asked: list[tuple[Role, list[str]]], leaving: set[int], batch: int
) -> None:
    async def play() -> None:
        batcher = Batcher(Yielding(), batch=batch, concurrent=1)
        tasks = [asyncio.create_task(batcher.embed(texts, role=role)) for role, texts in asked]
        await asyncio.sleep(0)
        for place in leaving & set(range(len(tasks))):
            tasks[place].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for place, ((role, texts), rows) in enumerate(zip(asked, answers, strict=True)):
            if place not in leaving:
                assert isinstance(rows, np.ndarray)
                np.testing.assert_array_equal(rows, await HashEmbedder().embed(texts, role=role))

    asyncio.run(play())
