"""Whether the sheets can answer a question at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from albert.index.contract import Vector


class Scope(Protocol):
    def admits(self, asked: Vector, scores: Sequence[float]) -> bool:
        """Say whether to answer, from the question's vector and its candidates' scores."""
        ...
