"""An embedder behind any OpenAI-compatible address: vLLM, llama.cpp, our own service."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import aiohttp
import numpy as np
import orjson
from numpy.typing import NDArray

from albert.domain.errors import InferenceError, ModelNotFound, ModelOverloaded, ModelUnreachable
from albert.inference.contract import Vectors
from albert.inference.prefixes import Prefixes
from albert.inference.refusals import is_too_long
from albert.inference.texts import embeddable
from albert.inference.tokens import upper_bound
from albert.inference.windows import mean, windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds the server has; its answer comes whole."""

    connect: float = 5.0
    first_byte: float = 120.0


_SPECIAL = 2
"""Tokens that a model adds at both ends of a text."""
_LEAST_WINDOW = 32


class OpenAIEmbedder:
    """Asks ``{base_url}/embeddings``; the session stays its owner's to close.

    Redirects are not followed. The dimension is learnt from the first answer;
    ``warm_up`` asks for one.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        session: aiohttp.ClientSession,
        key: str = "",
        fingerprint: str = "",
        prefixes: Prefixes | None = Prefixes(),
        context: int | None = None,
        batch: int = 32,
        timeouts: Timeouts = Timeouts(),
    ) -> None:
        """``prefixes`` go before each text; ``None`` where the server sees to it by ``doc_type``.

        ``context`` is what the model reads, in tokens: longer texts are cut in windows
        here, and their vectors averaged. Without it the server takes them whole, or
        refuses them. ``batch`` windows are sent at once.

        Raises:
            InferenceError: ``context`` leaves no room for a text.
        """
        self.model = model
        self.fingerprint = fingerprint or model
        self._address = base_url.rstrip("/") + "/embeddings"
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._session, self._timeouts = session, timeouts
        self._prefixes, self._batch = prefixes, batch
        self._context = context
        self._dimension = 0
        if context is not None and self._room("query") < _LEAST_WINDOW:
            raise InferenceError(
                f"« engine.context » de {model!r} ne laisse pas de place au texte : "
                f"donnez ce que le modèle lit, {_LEAST_WINDOW + context} jetons au moins."
            )

    @property
    def dimension(self) -> int:
        """Raises ``InferenceError`` until the server has answered once."""
        if not self._dimension:
            raise InferenceError(f"Le service de {self.model!r} n'a pas encore répondu.")
        return self._dimension

    async def warm_up(self) -> None:
        """Learn the dimension.

        Raises:
            InferenceError: as ``embed``.
        """
        await self.embed(["dimension"], role="document")

    def token_count(self, text: str) -> int:
        """An upper bound: no tokenizer is at hand."""
        return upper_bound(self._prefix("document") + text.replace("\0", "")) + _SPECIAL

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        """One row per text; a text longer than the context is the mean of its windows.

        Raises:
            RequestError: a text is empty, or not text.
            ModelNotFound, ModelOverloaded, ModelUnreachable, InferenceError: what the server did.
        """
        ready = [embeddable(text, place) for place, text in enumerate(texts, 1)]
        if not ready:
            return np.zeros((0, self.dimension), dtype=np.float32)
        cut = [windows(text, self._room(role)) if self._context else [text] for text in ready]
        flat = [window for text in cut for window in text]
        rows = np.concatenate(
            [
                await self._ask(flat[first : first + self._batch], role)
                for first in range(0, len(flat), self._batch)
            ]
        )
        return _joined(rows, cut)

    def _room(self, role: Literal["query", "document"]) -> int:
        """Tokens of a text that fit in the context, beside its prefix."""
        return (self._context or 0) - _SPECIAL - upper_bound(self._prefix(role))

    def _prefix(self, role: Literal["query", "document"]) -> str:
        return self._prefixes.of(role) if self._prefixes else ""

    async def _ask(self, texts: Sequence[str], role: Literal["query", "document"]) -> Vectors:
        prefix = self._prefix(role)
        body: dict[str, object] = {
            "model": self.model,
            "input": [prefix + text for text in texts],
            "encoding_format": "base64",
        }
        if self._prefixes is None:
            body["doc_type"] = "query" if role == "query" else "passage"
        with self._translated():
            answer = await self._post(orjson.dumps(body))
            rows = _rows(answer, len(texts))
        if self._dimension and rows.shape[1] != self._dimension:
            raise InferenceError(
                f"Le service de {self.model!r} a changé de modèle : ses vecteurs n'ont plus "
                f"{self._dimension} dimensions. Relancez Albert, puis « albert index build »."
            )
        self._dimension = rows.shape[1]
        return rows

    async def _post(self, body: bytes) -> bytes:
        try:
            return await self._send(body)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return await self._send(body)  # the server had closed a pooled connection

    async def _send(self, body: bytes) -> bytes:
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect)
        async with asyncio.timeout(self._timeouts.first_byte):
            async with self._session.post(
                self._address,
                data=body,
                headers=self._headers,
                allow_redirects=False,
                timeout=limits,
            ) as response:
                content = await response.read()
        if response.status != 200:
            raise self._refusal(response.status, content)
        return content

    def _refusal(self, status: int, content: bytes) -> InferenceError:
        """The body's own words are not shown: they may repeat the text."""
        name = self.model
        if status in (400, 413, 422) and is_too_long(content):
            return InferenceError(
                f"Un texte dépasse ce que lit {name!r} : donnez son « engine.context »."
            )
        if status in (401, 403):
            return InferenceError(f"Le service de {name!r} refuse notre clé : vérifiez-la.")
        if status == 404:
            return ModelNotFound(f"Le service de vecteurs n'offre pas {name!r}.")
        if status in (429, 503):
            return ModelOverloaded()
        if status in (502, 504):
            return ModelUnreachable(
                f"Le service de {name!r} ne répond pas derrière son mandataire."
            )
        return InferenceError(
            f"Le service de {name!r} refuse la demande (erreur {status}) : consultez son journal."
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the client library raises into our errors; causes may carry the key."""
        name = self.model
        try:
            yield
        except TimeoutError:
            message = f"Le service de {name!r} tarde trop : réessayez plus tard."
            raise ModelUnreachable(message) from None
        except (aiohttp.ClientResponseError, ValueError):
            message = f"La réponse du service de {name!r} est illisible : vérifiez son adresse."
            raise InferenceError(message) from None
        except (aiohttp.ClientError, OSError):
            message = f"Le service de {name!r} est injoignable : vérifiez qu'il est démarré."
            raise ModelUnreachable(message) from None


def _joined(rows: Vectors, cut: Sequence[Sequence[str]]) -> Vectors:
    """Return one row per text from the rows of all windows."""
    if len(rows) == len(cut):
        return rows
    found, first = [], 0
    for pieces in cut:
        own = rows[first : first + len(pieces)]
        first += len(pieces)
        found.append(own[0] if len(pieces) == 1 else mean(own, [*map(upper_bound, pieces)]))
    return np.stack(found)


def _rows(answer: bytes, texts: int) -> Vectors:
    """Read the vectors of an answer, in the order of the texts, and give them unit norm.

    Raises:
        ValueError: it is not what was asked for.
    """
    value = orjson.loads(answer)
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list) or len(data) != texts:
        raise ValueError("not a vector for each text")
    found: dict[object, NDArray[np.float32]] = {}
    for place, item in enumerate(data):
        match item:
            case {"embedding": str() | list() as embedding}:
                found[item.get("index", place)] = _row(embedding)
            case _:
                raise ValueError("no vector")
    if set(found) != set(range(texts)):
        raise ValueError("not the places that were asked for")
    rows = np.stack([found[place] for place in range(texts)])
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and norms.all()):
        raise ValueError("a vector of nothing")
    return np.asarray(rows / norms, dtype=np.float32)


def _row(embedding: str | list[object]) -> NDArray[np.float32]:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").astype(np.float32)
    row = np.asarray(embedding, dtype=np.float32)
    if row.ndim != 1:
        raise ValueError("not a list of numbers")
    return row
