"""Models that need no weights: for tests, demonstrations and your own programs' tests."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError
from albert.inference.contract import Vectors
from albert.inference.texts import embeddable


class HashEmbedder:
    """A bag of hashed words: texts that share words are close, and nothing is downloaded."""

    model = "hash"
    fingerprint = "hash/1"

    def __init__(self, *, dimension: int = 64) -> None:
        self.dimension = dimension

    def token_count(self, text: str) -> int:
        return len(text.split()) + 2

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for place, (row, text) in enumerate(zip(rows, texts, strict=True), 1):
            for word in (f"{role}:", *embeddable(text, place).lower().split()):
                digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
                row[int.from_bytes(digest) % self.dimension] += 1
            row /= float(np.linalg.norm(row))
        return rows


class HeldEmbedder(HashEmbedder):
    """Begins a batch when asked, and ends it when told: for tests of what waits.

    ``begun`` has the batches in the order they began; ``left`` those that were cancelled.
    A batch that holds a text of ``failing`` raises its error.
    """

    def __init__(self, failing: Mapping[str, Exception] = MappingProxyType({})) -> None:
        super().__init__()
        self.begun: list[list[str]] = []
        self.left: list[list[str]] = []
        self.release = asyncio.Event()
        self._failing = failing

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        self.begun.append(list(texts))
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.left.append(list(texts))
            raise
        for text in texts:
            if text in self._failing:
                raise self._failing[text]
        return await super().embed(texts, role=role)


class ScriptedModel:
    """Says what it is told to say, and remembers what it was asked.

    An error among the pieces is raised at its place. ``closed`` counts the answers
    that were left or finished, each once.
    """

    model = "scripted"

    def __init__(self, *pieces: str | InferenceError, window: int = 4096) -> None:
        self._pieces = pieces
        self.window = window
        self.heard: list[tuple[Message, ...]] = []
        self.closed = 0

    def count(self, text: str) -> int:
        return len(text.split())

    async def stream(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[str, None]:
        self.heard.append(tuple(messages))
        try:
            for piece in self._pieces:
                if isinstance(piece, InferenceError):
                    raise piece
                yield piece
        finally:
            self.closed += 1
