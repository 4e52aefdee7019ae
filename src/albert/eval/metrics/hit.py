"""Whether a right sheet stands among the first k."""

from __future__ import annotations


def hit(rank: int | None, k: int) -> float:
    return 1.0 if rank is not None and rank <= k else 0.0
