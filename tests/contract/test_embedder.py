"""What every embedder promises."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import numpy as np
import pytest

from albert.asgi.run import serve
from albert.domain.errors import RequestError
from albert.inference.batching import Batcher
from albert.inference.contract import Embedder, Vectors
from albert.inference.e5 import E5Embedder
from albert.inference.openai_compatible_embedder import OpenAIEmbedder
from albert.serving.embeddings_service import EmbeddingsService
from albert.testing.models import HashEmbedder

RSA = "Le revenu de solidarité active (RSA) assure un niveau minimum de revenu."
PASSPORT = "Le passeport est un titre de voyage valable dix ans pour une personne majeure."
PATIENCE = 10.0

Build = Callable[[], AbstractAsyncContextManager[Embedder]]


@asynccontextmanager
async def fake() -> AsyncIterator[Embedder]:
    yield HashEmbedder()


@asynccontextmanager
async def e5() -> AsyncIterator[Embedder]:
    embedder = E5Embedder()
    yield embedder
    embedder.close()


def batched(build: Build) -> Build:
    @asynccontextmanager
    async def builds() -> AsyncIterator[Embedder]:
        async with build() as embedder:
            yield Batcher(embedder, batch=2)

    return builds


def remote(build: Build) -> Build:
    """Put the embedder behind our own service, over HTTP."""

    @asynccontextmanager
    async def builds() -> AsyncIterator[Embedder]:
        async with build() as embedder, aiohttp.ClientSession() as session:
            stop = asyncio.Event()
            ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            service = EmbeddingsService(embedder, key="cle")
            task = asyncio.create_task(serve(service, "127.0.0.1", 0, ready.set_result, stop=stop))
            address = await asyncio.wait_for(ready, PATIENCE)
            asking = OpenAIEmbedder(
                f"{address}/v1", embedder.model, key="cle", prefixes=None, session=session
            )
            await asking.warm_up()
            yield asking
            stop.set()
            await asyncio.wait_for(task, PATIENCE)

    return builds


class Used:
    """An embedder, from code that does not wait."""

    def __init__(self, runner: asyncio.Runner, embedder: Embedder, build: Build) -> None:
        self._runner, self.embedder, self._build = runner, embedder, build

    def documents(self, *texts: str) -> Vectors:
        return self._runner.run(self.embedder.embed(texts, role="document"))

    def query(self, text: str) -> Vectors:
        (row,) = self._runner.run(self.embedder.embed([text], role="query"))
        return np.asarray(row, dtype=np.float32)

    def another(self) -> Embedder:
        """Return another object for the same model."""

        async def built() -> Embedder:
            async with self._build() as embedder:
                return embedder

        return self._runner.run(built())


REAL = pytest.mark.integration


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(fake, id="fake"),
        pytest.param(batched(fake), id="batched-fake"),
        pytest.param(remote(fake), id="remote-fake"),
        pytest.param(e5, id="e5", marks=REAL),
        pytest.param(batched(e5), id="batched-e5", marks=REAL),
        pytest.param(remote(batched(e5)), id="remote-batched-e5", marks=REAL),
    ],
)
def used(request: pytest.FixtureRequest) -> Iterator[Used]:
    build: Build = request.param
    with asyncio.Runner() as runner:
        place = build()
        embedder = runner.run(_enter(place))
        yield Used(runner, embedder, build)
        runner.run(_leave(place))


async def _enter(place: AbstractAsyncContextManager[Embedder]) -> Embedder:
    return await place.__aenter__()


async def _leave(place: AbstractAsyncContextManager[Embedder]) -> None:
    await place.__aexit__(None, None, None)


def test_each_text_has_a_row_of_32_bit_floats(used: Used) -> None:
    rows = used.documents(RSA, PASSPORT)
    assert rows.shape == (2, used.embedder.dimension)
    assert rows.dtype == np.float32


def test_rows_have_unit_norm(used: Used) -> None:
    norms = np.linalg.norm(used.documents(RSA, PASSPORT, "a"), axis=1)
    np.testing.assert_allclose(norms, 1.0, atol=1e-4)


def test_no_text_gives_no_row(used: Used) -> None:
    assert used.documents().shape == (0, used.embedder.dimension)


def test_a_batch_gives_what_single_texts_give_in_the_same_order(used: Used) -> None:
    texts = (PASSPORT, RSA, "carte d'identité", RSA)
    singles = np.concatenate([used.documents(text) for text in texts])
    np.testing.assert_allclose(used.documents(*texts), singles, atol=1e-6)


def test_a_question_is_nearest_to_the_passage_that_speaks_of_it(used: Used) -> None:
    about_rsa, about_passport = used.documents(RSA, PASSPORT) @ used.query(
        "Quel est le revenu minimum du RSA ?"
    )
    assert about_rsa > about_passport


def test_the_role_matters(used: Used) -> None:
    assert not np.allclose(used.query(RSA), used.documents(RSA)[0], atol=1e-3)


def test_nul_characters_change_nothing(used: Used) -> None:
    np.testing.assert_array_equal(used.documents("R\0SA"), used.documents("RSA"))


@pytest.mark.parametrize("empty", ["", " \n", "\0\0"])
def test_an_empty_text_is_refused_by_its_rank(used: Used, empty: str) -> None:
    with pytest.raises(RequestError, match="n° 2 est vide"):
        used.documents(RSA, empty)


def test_half_a_character_is_refused(used: Used) -> None:
    with pytest.raises(RequestError, match="illisible"):
        used.documents("r\ud800sa")


def test_more_words_are_more_tokens(used: Used) -> None:
    assert 0 < used.embedder.token_count(RSA) < used.embedder.token_count(f"{RSA} {PASSPORT}")


def test_the_fingerprint_is_that_of_the_weights_not_of_the_object(used: Used) -> None:
    assert used.embedder.fingerprint == used.another().fingerprint
