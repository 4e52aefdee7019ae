"""Normalised discounted cumulative gain, with one right answer.

Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS
20(4), 2002: the gain at rank r is ``1 / log2(r + 1)``, and the ideal ranking's is 1.
"""

from __future__ import annotations

from math import log2


def ndcg(rank: int | None, k: int) -> float:
    return 1 / log2(rank + 1) if rank is not None and rank <= k else 0.0
