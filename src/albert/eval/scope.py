"""Learning which questions the sheets can answer, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from albert.assistant.contract import Answerer, Question
from albert.assistant.scope import CLOSEST, LearnedScope, features
from albert.eval.datasets import Labelled
from albert.index.contract import Filter, Vector

ANSWERED = 0.95
"""Share of the questions with a right sheet that are to be answered, at the least."""
_PENALTY = 100.0
_STRESS = 2.0
"""How much more a cosine counts than a coordinate of the vector under the penalty."""
_FOLDS = 10

Matrix = NDArray[np.float64]


class Recorder:
    """A scope that admits everything, and keeps the features of what it was asked."""

    def __init__(self) -> None:
        self.rows: list[Matrix] = []

    def admits(self, asked: Vector, cosines: Sequence[float]) -> bool:
        self.rows.append(features(asked, cosines))
        return True


async def observe(
    answerer: Answerer,
    recorder: Recorder,
    questions: Sequence[Labelled],
    *,
    where: Filter,
    progress: Callable[[int, int], None],
) -> tuple[Matrix, NDArray[np.bool_]]:
    """Ask every question of an answerer that uses ``recorder``.

    Returns a row of features a question, and whether it has a right sheet. A question
    for which no passage is found at all never reaches the scope, and is left out.
    """
    answerable: list[bool] = []
    for number, one in enumerate(questions, start=1):
        before = len(recorder.rows)
        async for _ in answerer.answer(Question(text=one.question, where=where)):
            pass
        answerable += [bool(one.sheets)] * (len(recorder.rows) - before)
        progress(number, len(questions))
    return np.stack(recorder.rows), np.array(answerable)


def learn(rows: Matrix, answerable: NDArray[np.bool_], *, model: str) -> LearnedScope:
    """Fit on all questions; the threshold is the one that left-out questions ask for.

    ``rows`` has shape ``(questions, dimension + 3)``, see ``albert.assistant.scope.features``.
    """
    weights, bias = _fit(rows, answerable)
    held_out = left_out(rows, answerable)
    threshold = float(np.quantile(held_out[answerable], 1 - ANSWERED))
    return LearnedScope(model, weights, bias, threshold)


def left_out(rows: Matrix, answerable: NDArray[np.bool_], *, seed: int = 1) -> Matrix:
    """Return each question's score by a model that did not see it (10 stratified folds)."""
    scores = np.zeros(len(rows))
    folds = np.zeros(len(rows), dtype=np.int64)
    random = np.random.default_rng(seed)
    for kind in (True, False):
        places = random.permutation(np.flatnonzero(answerable == kind))
        folds[places] = np.arange(len(places)) % _FOLDS
    for fold in range(_FOLDS):
        seen = folds != fold
        weights, bias = _fit(rows[seen], answerable[seen])
        scores[~seen] = rows[~seen] @ weights + bias
    return scores


def refused(scores: Matrix, answerable: NDArray[np.bool_], threshold: float) -> dict[str, float]:
    """Return the share of answerable questions answered, and of the others refused."""
    return {
        "answered": float((scores[answerable] >= threshold).mean()),
        "refused": float((scores[~answerable] < threshold).mean()),
    }


def _fit(rows: Matrix, answerable: NDArray[np.bool_]) -> tuple[Matrix, float]:
    """Fit an L2-penalised logistic regression on standardised features, by Newton's method.

    Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 4.4.1 and 4.4.4.
    """
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    scale = np.ones(rows.shape[1])
    scale[-len(CLOSEST) :] = _STRESS
    x = np.column_stack([(rows - mean) / spread * scale, np.ones(len(rows))])
    y = answerable.astype(np.float64)
    penalty = np.full(x.shape[1], _PENALTY)
    penalty[-1] = 0.0  # the bias is free
    w = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (p - y) + penalty * w
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        w -= step
        if np.abs(step).max() < 1e-8:
            break
    weights: Matrix = w[:-1] * scale / spread
    return weights, float(w[-1] - mean @ weights)
