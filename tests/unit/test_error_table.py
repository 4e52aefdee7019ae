"""Each error of the tree has its HTTP answer."""

from collections.abc import Iterator

import pytest

from albert.asgi.problems import ROWS, problem_of
from albert.domain import errors
from albert.domain.errors import AlbertError, PromptTooLong, QuestionInvalid


def tree(root: type[AlbertError]) -> Iterator[type[AlbertError]]:
    yield root
    for kind in root.__subclasses__():
        yield from tree(kind)


def test_every_error_has_a_row_and_every_row_an_error() -> None:
    ours = {kind for kind in tree(AlbertError) if kind.__module__ == errors.__name__}

    assert ours == set(ROWS)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (QuestionInvalid("La question est vide."), 400, "question_invalid"),
        (PromptTooLong(), 413, "context_length_exceeded"),
        (errors.ModelNotFound(), 404, "model_not_found"),
        (errors.IndexNotFound(), 503, "index_not_found"),
        (errors.ModelUnreachable(), 502, "model_unreachable"),
    ],
)
def test_an_error_becomes_its_row(error: AlbertError, status: int, code: str) -> None:
    problem = problem_of(error)

    assert (problem.status, problem.code, problem.message) == (status, code, str(error))
