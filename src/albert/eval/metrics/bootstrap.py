"""How sure a mean is (Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def interval(values: Sequence[float], *, draws: int = 2000, seed: int = 1) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean; the same values give the same interval."""
    if not values:
        return (0.0, 0.0)
    sample = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(sample), size=(draws, len(sample)))
    low, high = np.percentile(sample[picks].mean(axis=1), [2.5, 97.5])
    return (float(low), float(high))
