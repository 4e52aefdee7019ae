"""Reciprocal rank (Voorhees, "The TREC-8 Question Answering Track Report", 1999)."""

from __future__ import annotations


def reciprocal_rank(rank: int | None, k: int) -> float:
    """Return ``1 / rank``, or 0 beyond rank ``k``."""
    return 1 / rank if rank is not None and rank <= k else 0.0
