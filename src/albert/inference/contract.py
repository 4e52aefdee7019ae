"""What we ask of models, whoever serves them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from albert.domain.conversation import Message, Sampling

Vectors = NDArray[np.float32]
"""Unit-norm rows, shape ``(n, dimension)``."""


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine similarity."""

    @property
    def model(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Names the weights exactly: vectors of two fingerprints do not compare."""
        ...

    def token_count(self, text: str) -> int:
        """Tokens the model feeds for ``text`` as a document, special ones included."""
        ...

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        """Return one row per text, in order; shape ``(len(texts), dimension)``.

        ``role`` matters: E5 and BGE models prefix queries and documents differently.
        Batching is the driver's affair; the caller may pass any number of texts.

        Raises:
            RequestError: a text is empty (blanks and NUL only) or not text.
            InferenceError: anything else, whatever the server did.
        """
        ...


class ChatModel(Protocol):
    """Writes the next message of a conversation."""

    @property
    def model(self) -> str: ...

    @property
    def window(self) -> int:
        """Tokens the model can see, prompt and answer together."""
        ...

    def count(self, text: str) -> int:
        """Tokens in ``text``: exact where a tokenizer is at hand, else an upper bound."""
        ...

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[str, None]:
        """Yield the answer piece by piece; ``aclose()`` cancels the request.

        Raises:
            InferenceError: before the first piece or between two.
        """
        ...
