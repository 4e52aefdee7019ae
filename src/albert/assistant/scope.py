"""Whether the sheets can answer a question at all: a learned guess, made before answering."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from albert.index.contract import Vector

CLOSEST = (1, 3, 10)
"""The mean cosine of so many closest sentences says how near the sheets come."""


class Scope(Protocol):
    def admits(self, asked: Vector, cosines: Sequence[float]) -> bool:
        """Say whether to answer, from the question's vector and its sentences' cosines."""
        ...


class Everything:
    """Admits every question: to measure what is quoted, whatever the guess."""

    def admits(self, asked: Vector, cosines: Sequence[float]) -> bool:
        return bool(cosines)


def features(asked: Vector, cosines: Sequence[float]) -> NDArray[np.float64]:
    """Return the question's vector, then the mean of its 1, 3 and 10 best cosines.

    Shape ``(dimension + 3,)``. What a question is about shows in its vector (a
    personal file, opening hours, a recipe); whether we know of it, in the cosines.
    """
    best = np.sort(np.asarray(cosines, dtype=np.float64))[::-1]
    means = [best[:count].mean() for count in CLOSEST]
    return np.concatenate([np.asarray(asked, dtype=np.float64), means])


@dataclass(frozen=True, slots=True)
class LearnedScope:
    """A logistic regression over ``features``, learned by ``albert eval scope``.

    ``model`` is the fingerprint of the embedding model whose vectors it was learned
    on; ``threshold`` is compared with the linear score, in log-odds.
    """

    model: str
    weights: NDArray[np.float64]
    bias: float
    threshold: float

    @classmethod
    def load(cls) -> LearnedScope:
        """Return the one that ships with Albert."""
        text = (files("albert.assistant") / "data" / "scope.json").read_text("ascii")
        values = json.loads(text)
        weights = np.array(values["weights"], dtype=np.float64)
        return cls(values["model"], weights, values["bias"], values["threshold"])

    def dumps(self) -> str:
        """Return it as JSON, as ``load`` reads it."""
        values = {
            "model": self.model,
            "weights": [round(float(w), 4) for w in self.weights],
            "bias": round(self.bias, 4),
            "threshold": round(self.threshold, 4),
        }
        return json.dumps(values, indent=0) + "\n"

    def score(self, asked: Vector, cosines: Sequence[float]) -> float:
        return float(features(asked, cosines) @ self.weights + self.bias)

    def admits(self, asked: Vector, cosines: Sequence[float]) -> bool:
        return bool(cosines) and self.score(asked, cosines) >= self.threshold
