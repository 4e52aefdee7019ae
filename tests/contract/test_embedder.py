"""What every embedder promises."""

import asyncio
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from albert.domain.errors import RequestError
from albert.inference.contract import Embedder, Vectors
from albert.inference.e5 import E5Embedder
from albert.testing.models import HashEmbedder

RSA = "Le revenu de solidarité active (RSA) assure un niveau minimum de revenu."
PASSPORT = "Le passeport est un titre de voyage valable dix ans pour une personne majeure."


@pytest.fixture(
    scope="module", params=[HashEmbedder, pytest.param(E5Embedder, marks=pytest.mark.integration)]
)
def embedder(request: pytest.FixtureRequest) -> Iterator[Embedder]:
    build: Callable[[], Embedder] = request.param
    embedder = build()
    yield embedder
    if isinstance(embedder, E5Embedder):
        embedder.close()


def documents(embedder: Embedder, *texts: str) -> Vectors:
    return asyncio.run(embedder.embed(texts, role="document"))


def query(embedder: Embedder, text: str) -> Vectors:
    (row,) = asyncio.run(embedder.embed([text], role="query"))
    return np.asarray(row, dtype=np.float32)


def test_each_text_has_a_row_of_32_bit_floats(embedder: Embedder) -> None:
    rows = documents(embedder, RSA, PASSPORT)
    assert rows.shape == (2, embedder.dimension)
    assert rows.dtype == np.float32


def test_rows_have_unit_norm(embedder: Embedder) -> None:
    norms = np.linalg.norm(documents(embedder, RSA, PASSPORT, "a"), axis=1)
    np.testing.assert_allclose(norms, 1.0, atol=1e-4)


def test_no_text_gives_no_row(embedder: Embedder) -> None:
    assert documents(embedder).shape == (0, embedder.dimension)


def test_a_batch_gives_what_single_texts_give_in_the_same_order(embedder: Embedder) -> None:
    texts = (PASSPORT, RSA, "carte d'identité", RSA)
    singles = np.concatenate([documents(embedder, text) for text in texts])
    np.testing.assert_allclose(documents(embedder, *texts), singles, atol=1e-6)


def test_a_question_is_nearest_to_the_passage_that_speaks_of_it(embedder: Embedder) -> None:
    about_rsa, about_passport = documents(embedder, RSA, PASSPORT) @ query(
        embedder, "Quel est le revenu minimum du RSA ?"
    )
    assert about_rsa > about_passport


def test_the_role_matters(embedder: Embedder) -> None:
    assert not np.allclose(query(embedder, RSA), documents(embedder, RSA)[0], atol=1e-3)


def test_nul_characters_change_nothing(embedder: Embedder) -> None:
    np.testing.assert_array_equal(documents(embedder, "R\0SA"), documents(embedder, "RSA"))


@pytest.mark.parametrize("empty", ["", " \n", "\0\0"])
def test_an_empty_text_is_refused_by_its_rank(embedder: Embedder, empty: str) -> None:
    with pytest.raises(RequestError, match="n° 2 est vide"):
        documents(embedder, RSA, empty)


def test_half_a_character_is_refused(embedder: Embedder) -> None:
    with pytest.raises(RequestError, match="illisible"):
        documents(embedder, "r\ud800sa")


def test_more_words_are_more_tokens(embedder: Embedder) -> None:
    assert 0 < embedder.token_count(RSA) < embedder.token_count(f"{RSA} {PASSPORT}")


def test_the_fingerprint_is_that_of_the_weights_not_of_the_object(embedder: Embedder) -> None:
    assert embedder.fingerprint == type(embedder)().fingerprint
