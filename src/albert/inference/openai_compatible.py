"""A chat model behind any OpenAI-compatible address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
import orjson

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError, ModelUnreachable
from albert.inference import refusals
from albert.inference.tokens import upper_bound
from albert.wire.sse import Decoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds the server has. A comment line counts as a byte: it says « still at work »."""

    connect: float = 5.0
    first_byte: float = 120.0
    between_bytes: float = 60.0


class OpenAIChatModel:
    """Streams ``{base_url}/chat/completions``; the session stays its owner's to close.

    Redirects are not followed: requests go to the configured address only.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key: str = "",
        window: int,
        session: aiohttp.ClientSession,
        timeouts: Timeouts = Timeouts(),
        extra: Mapping[str, object] | None = None,
    ) -> None:
        """``extra`` joins each request's body, for what one engine needs beyond the standard.

        Raises:
            InferenceError: the address or the key cannot be one.
        """
        if not base_url.startswith(("http://", "https://")):
            raise InferenceError(
                "L'adresse du service du modèle doit commencer par http:// ou https:// : "
                "corrigez ALBERT_MODEL_URL."
            )
        if not (key.isascii() and key.isprintable()):
            raise InferenceError(
                "La clé du service du modèle contient des caractères qu'une clé ne peut avoir : "
                "corrigez ALBERT_MODEL_KEY."
            )
        self.model = model
        self.window = window
        self._address = base_url.rstrip("/") + "/chat/completions"
        # llama.cpp drops a connection after a stream without a word: it must not be pooled
        self._headers = {"Connection": "close", "Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._session = session
        self._extra = dict(extra or {})
        self._timeouts = timeouts

    def count(self, text: str) -> int:
        """An upper bound in practice: the server has the last word, and refuses what overflows."""
        return upper_bound(text)

    async def stream(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[str, None]:
        """Yield pieces as they come; closing the iterator closes the connection.

        Always streamed on the wire, since that is how llama.cpp and vLLM notice a
        reader who leaves.

        Raises:
            ModelNotFound: the server does not offer this model.
            ModelOverloaded: it asks to come back later.
            ModelUnreachable: it does not answer, is too slow, or stops half-way.
            InferenceError: it refuses the key or the request, or answers nonsense.
        """
        body = orjson.dumps(_body(self.model, messages, sampling) | self._extra)
        finished = False
        with self._translated():
            response = await self._post(body)
            async with contextlib.aclosing(self._events(response)) as events:
                async for event in events:
                    if event == "[DONE]":
                        return
                    piece, finishes = _piece(event)
                    finished = finished or finishes
                    if piece:
                        yield piece
        if not finished:
            raise ModelUnreachable("La réponse du modèle s'est interrompue : réessayez.")

    async def _post(self, body: bytes) -> aiohttp.ClientResponse:
        """Open the answer's stream, or raise what its status means."""
        try:
            response = await self._open(body)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            response = await self._open(body)  # the server had closed a pooled connection
        if response.status == 200 and response.content_type == "text/event-stream":
            return response
        async with response, asyncio.timeout(self._timeouts.between_bytes):
            raise refusals.of(response.status, await response.content.read(4096), self.model)

    async def _open(self, body: bytes) -> aiohttp.ClientResponse:
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect)
        async with asyncio.timeout(self._timeouts.first_byte):
            return await self._session.post(
                self._address,
                data=body,
                headers=self._headers,
                allow_redirects=False,
                timeout=limits,
            )

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
        decoder, patience = Decoder(strict=True), self._timeouts.first_byte
        try:
            while True:
                async with asyncio.timeout(patience):
                    chunk = await response.content.readany()
                if not chunk:
                    return
                patience = self._timeouts.between_bytes
                for event in decoder.feed(chunk):
                    yield event.data
        finally:
            response.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what the client library raises into our errors.

        Their causes are dropped: some carry the request's headers, and so the key.
        """
        try:
            yield
        except TimeoutError:
            raise ModelUnreachable(
                "Le service du modèle tarde trop à répondre : réessayez plus tard."
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL):
            raise ModelUnreachable(
                "Le service du modèle est injoignable : "
                "vérifiez qu'il est démarré et que ALBERT_MODEL_URL est son adresse."
            ) from None
        except (aiohttp.ClientResponseError, ValueError):
            raise InferenceError(
                "La réponse du service du modèle est illisible : "
                "vérifiez que ALBERT_MODEL_URL est une adresse compatible OpenAI."
            ) from None
        except (aiohttp.ClientError, OSError):
            raise ModelUnreachable("La réponse du modèle s'est interrompue : réessayez.") from None


def _body(model: str, messages: Sequence[Message], sampling: Sampling) -> dict[str, object]:
    drawn = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "stop": list(sampling.stop) or None,
    }
    return {
        "model": model,
        "stream": True,
        "messages": [{"role": m.role, "content": m.content} for m in messages],
        **{name: value for name, value in drawn.items() if value is not None},
    }


def _piece(event: str) -> tuple[str, bool]:
    """Return the text an event brings, and whether it says that the answer is over.

    Raises:
        ValueError: it is no chat completion chunk.
        InferenceError: it is the server's own error.
    """
    chunk = orjson.loads(event)
    if not isinstance(chunk, dict):
        raise ValueError("not an object")  # noqa: TRY004 — one kind of nonsense among others
    if "error" in chunk:
        raise refusals.within_a_stream(chunk["error"])
    match chunk.get("choices"):
        case [{"delta": {"content": str(text)}, **rest}, *_]:
            return text, bool(rest.get("finish_reason"))
        case [{**rest}, *_]:
            return "", bool(rest.get("finish_reason"))
        case []:
            return "", False
    raise ValueError("no choices")
