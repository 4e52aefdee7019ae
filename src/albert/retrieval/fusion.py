"""Merging ranked lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def reciprocal_rank(
    rankings: Iterable[tuple[Sequence[T], float]], *, k: int = 60
) -> list[tuple[T, float]]:
    """Merge weighted rankings: an item at rank r (from 1) weighs ``weight / (k + r)``.

    Best first; ties keep the order in which items were first met, so that the
    result is a function of the arguments.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and
    individual Rank Learning Methods", SIGIR 2009, where k = 60 and weights are 1.
    """
    scores: defaultdict[T, float] = defaultdict(float)
    for ranking, weight in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] += weight / (k + rank)
    return sorted(scores.items(), key=lambda scored: -scored[1])
