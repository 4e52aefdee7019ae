"""Who waits for whom before an embedder, and who fails with whom."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import numpy as np
import pytest

from albert.domain.errors import (
    InferenceError,
    ModelOverloaded,
    ModelUnreachable,
    RequestError,
)
from albert.inference.batching import Batcher
from albert.inference.contract import Vectors
from albert.testing.models import HashEmbedder, HeldEmbedder

NONE: Mapping[str, Exception] = MappingProxyType({})


class Waiting:
    """A batcher before an embedder that holds what it began until ``go``."""

    def __init__(self, batcher: Batcher, held: HeldEmbedder) -> None:
        self.batcher, self.held = batcher, held

    async def passages(self, *texts: str) -> asyncio.Task[Vectors]:
        """Ask, and return once the call stands in the queue."""
        task = asyncio.create_task(self.batcher.embed(texts, role="document"))
        await self.settle()
        return task

    async def settle(self) -> None:
        """Let everything that can run, run."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def go(self, *calls: asyncio.Task[Vectors]) -> list[Vectors | BaseException]:
        self.held.release.set()
        return await asyncio.gather(*calls, return_exceptions=True)


def waiting(
    scenario: Callable[[Waiting], Awaitable[None]],
    *,
    batch: int = 1,
    concurrent: int = 1,
    bound: int = 4096,
    failing: Mapping[str, Exception] = NONE,
) -> HeldEmbedder:
    """Play a scenario, and return the embedder that saw it."""

    async def play() -> HeldEmbedder:
        held = HeldEmbedder(failing)
        batcher = Batcher(held, batch=batch, concurrent=concurrent, waiting=bound)
        await scenario(Waiting(batcher, held))
        return held

    return asyncio.run(play())


def alone(*texts: str) -> Vectors:
    return asyncio.run(HashEmbedder().embed(texts, role="document"))


class TestTurns:
    def test_a_large_call_holds_up_no_small_one(self) -> None:
        async def scenario(here: Waiting) -> None:
            large = await here.passages("a1", "a2", "a3", "a4", "a5")
            small = await here.passages("b1", "b2")
            await here.go(large, small)

        begun = waiting(scenario).begun
        assert begun == [["a1"], ["a2"], ["b1"], ["a3"], ["b2"], ["a4"], ["a5"]]

    def test_what_waited_together_makes_a_batch(self) -> None:
        async def scenario(here: Waiting) -> None:
            await here.go(*[await here.passages(text) for text in ("a", "b", "c", "d")])

        assert waiting(scenario, batch=2).begun == [["a"], ["b", "c"], ["d"]]

    def test_no_more_batches_run_than_there_are_places(self) -> None:
        async def scenario(here: Waiting) -> None:
            call = await here.passages("a", "b", "c")
            assert here.held.begun == [["a"], ["b"]]
            await here.go(call)

        waiting(scenario, concurrent=2)

    def test_a_query_does_not_wait_for_passages(self) -> None:
        async def scenario(here: Waiting) -> None:
            passages = await here.passages("a", "b")
            query = asyncio.create_task(here.batcher.embed(["q"], role="query"))
            await here.settle()
            assert here.held.begun == [["a"], ["q"]]
            await here.go(passages, query)

        waiting(scenario)

    def test_rows_come_back_in_the_order_of_the_texts(self) -> None:
        async def scenario(here: Waiting) -> None:
            one = await here.passages("a1", "a2", "a3")
            two = await here.passages("b1", "b2")
            first, second = await here.go(one, two)
            np.testing.assert_array_equal(first, alone_rows["a"])
            np.testing.assert_array_equal(second, alone_rows["b"])

        alone_rows = {"a": alone("a1", "a2", "a3"), "b": alone("b1", "b2")}
        waiting(scenario, batch=2, concurrent=2)


class TestLeaving:
    def test_the_texts_of_a_caller_who_left_are_not_begun(self) -> None:
        async def scenario(here: Waiting) -> None:
            gone = await here.passages("a1", "a2", "a3")
            stays = await here.passages("b1")
            gone.cancel()
            await here.settle()
            await here.go(stays)

        assert waiting(scenario).begun == [["a1"], ["b1"]]

    def test_a_batch_that_nobody_awaits_is_cancelled(self) -> None:
        async def scenario(here: Waiting) -> None:
            gone = await here.passages("a1")
            gone.cancel()
            await here.settle()
            assert here.held.left == [["a1"]]

        waiting(scenario)

    def test_a_batch_that_somebody_awaits_goes_on(self) -> None:
        async def scenario(here: Waiting) -> None:
            first = await here.passages("z")
            gone, stays = await here.passages("a"), await here.passages("b")
            here.held.release.set()
            await first
            gone.cancel()
            (rows,) = await asyncio.gather(stays)
            np.testing.assert_array_equal(rows, expected)

        expected = alone("b")
        assert waiting(scenario, batch=2).left == []


class TestFailing:
    def test_the_failure_of_a_text_is_that_of_its_call_alone(self) -> None:
        async def scenario(here: Waiting) -> None:
            first = await here.passages("z")
            calls = [await here.passages(text) for text in ("bad", "b", "c")]
            _, bad, *good = await here.go(first, *calls)
            assert isinstance(bad, InferenceError)
            np.testing.assert_array_equal(np.concatenate(good), expected)  # type: ignore[arg-type]  # no failure

        expected = alone("b", "c")
        held = waiting(scenario, batch=3, failing={"bad": InferenceError("trop long")})
        assert held.begun == [["z"], ["bad", "b", "c"], ["bad"], ["b"], ["c"]]

    @pytest.mark.parametrize("error", [ModelOverloaded(), ModelUnreachable()])
    def test_an_engine_that_is_down_fails_all_and_is_left_alone(self, error: Exception) -> None:
        async def scenario(here: Waiting) -> None:
            first = await here.passages("z")
            calls = [await here.passages(text) for text in ("a", "b")]
            _, *failed = await here.go(first, *calls)
            assert failed == [error, error]

        assert waiting(scenario, batch=2, failing={"a": error}).begun == [["z"], ["a", "b"]]

    def test_a_failed_call_frees_its_place(self) -> None:
        async def scenario(here: Waiting) -> None:
            bad = await here.passages("bad", "a2", "a3")
            good = await here.passages("b1")
            assert isinstance((await here.go(bad, good))[0], InferenceError)

        held = waiting(scenario, failing={"bad": InferenceError()})
        assert held.begun == [["bad"], ["b1"]]

    def test_a_defect_is_not_swallowed(self) -> None:
        async def scenario(here: Waiting) -> None:
            (raised,) = await here.go(await here.passages("a"))
            assert isinstance(raised, ZeroDivisionError)

        waiting(scenario, failing={"a": ZeroDivisionError()})

    def test_an_empty_text_is_refused_before_it_waits(self) -> None:
        async def scenario(here: Waiting) -> None:
            with pytest.raises(RequestError, match="n° 2 est vide"):
                await here.batcher.embed(["a", " "], role="document")

        assert waiting(scenario).begun == []


class TestTheBound:
    def test_beyond_it_a_caller_is_told_to_come_back(self) -> None:
        async def scenario(here: Waiting) -> None:
            calls = [await here.passages("a1", "a2", "a3"), await here.passages("b1")]
            with pytest.raises(ModelOverloaded, match="recommencez dans") as raised:
                await here.batcher.embed(["c1"], role="document")
            assert raised.value.seconds >= 1
            await here.go(*calls)
            await here.batcher.embed(["c1"], role="document")

        waiting(scenario, bound=3)

    def test_a_call_that_finds_nobody_waiting_is_taken_whatever_its_size(self) -> None:
        async def scenario(here: Waiting) -> None:
            (rows,) = await here.go(await here.passages("a", "b", "c", "d"))
            assert isinstance(rows, np.ndarray)
            assert rows.shape == (4, 64)

        waiting(scenario, bound=2)
