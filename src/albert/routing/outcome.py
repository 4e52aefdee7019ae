"""What an engine's answer means: passed on, or a failure and whose fault it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import aiohttp
import orjson

from albert.domain.errors import InferenceError, ModelOverloaded, ModelUnreachable
from albert.routing.answer import Answer

Blame = Literal["none", "if others do better", "likely", "sure"]
"""Whose fault: the replica's for ``"sure"``, which opens its breaker at once."""

_ERROR_LIMIT = 64 << 10
_PARSED = 256 << 10
"""Bytes of an answer up to which its JSON is read: beyond, its first and last bytes are seen."""
_AWAY = "model_unreachable"
"""The code by which a model's service says that its engine stopped, or starts."""
_EVENTS = "text/event-stream"
_BEGINNINGS = (b"data:", b":", b"event:", b"id:", b"retry:", b"\n", b"\r", b"\xef\xbb\xbf")


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that gave nothing to pass on; ``answer`` is what to say where no other does."""

    error: InferenceError
    blame: Blame
    answer: Answer | None = None


def unheard(error: Exception) -> Failed:
    """Return what it means that no answer came at all.

    The causes are dropped: some carry the request's headers, and so the key.
    """
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failed(
            ModelUnreachable("Le service du modèle ne répond pas : réessayez plus tard."), "sure"
        )
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL):
        return unreadable()
    return Failed(ModelUnreachable("La réponse du modèle s'est interrompue : réessayez."), "likely")


def unreadable() -> Failed:
    """Return what it means that an answer is no answer of a model."""
    return Failed(
        ModelUnreachable("La réponse du service du modèle est illisible : réessayez."), "likely"
    )


async def judged(response: aiohttp.ClientResponse, *, stream: bool) -> Answer | Failed:
    """Read enough of a response to know what it is: the first bytes of a stream, or the whole.

    Raises:
        aiohttp.ClientError: it broke off.
    """
    if response.status >= 300:
        return await _refusal(response)
    if response.content_type != _EVENTS:
        return _whole(response, await response.read())
    if not stream:  # asked whole, it comes as events: they are passed on
        body = await response.read()
        return Answer(status=response.status, headers=response.raw_headers, body=body)
    first = await response.content.readany()
    if not first.startswith(_BEGINNINGS):
        response.close()
        return unreadable()
    return Answer(
        status=response.status, headers=response.raw_headers, body=first, response=response
    )


def _whole(response: aiohttp.ClientResponse, body: bytes) -> Answer | Failed:
    value: object = None
    if len(body) <= _PARSED:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            return unreadable()
    elif body[:1] not in b"{[" or body.rstrip()[-1:] not in b"}]":
        return unreadable()
    return Answer(status=response.status, headers=response.raw_headers, body=body, value=value)


async def _refusal(response: aiohttp.ClientResponse) -> Answer | Failed:
    status = response.status
    body = await response.content.read(_ERROR_LIMIT)
    response.close()
    if status in (401, 403) or status < 400:
        error = ModelUnreachable(
            f"Le service du modèle refuse ({status}) : vérifiez adresse et clé."
        )
        return Failed(error, "sure")
    answer = _as_told(status, response, body)
    if status == 503 and (why := _away(answer)):
        return Failed(ModelUnreachable(why), "sure")
    if status in (429, 503):
        return Failed(_overloaded(response), "none", answer)
    if status < 500:
        return answer or Answer(status=status, headers=response.raw_headers, body=body)
    error = ModelUnreachable("Le service du modèle a échoué : réessayez plus tard.")
    # a request may be at fault: llama.cpp answers 500 to a grammar that it cannot read
    return Failed(error, "likely" if status in (502, 504) else "if others do better", answer)


def _as_told(status: int, response: aiohttp.ClientResponse, body: bytes) -> Answer | None:
    """Return the engine's own words where they have OpenAI's form."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("error"), dict):
        return None
    told = status if status < 500 or status in (503, 504) else 502
    headers = response.raw_headers
    if status in (429, 503) and "retry-after" not in response.headers:
        headers = (*headers, (b"retry-after", b"1"))
    return Answer(status=told, headers=headers, body=body, value=value)


def _away(answer: Answer | None) -> str:
    """Return why the engine is away, where « albert serve llm » says it: up, it would be full."""
    said = answer.value if answer else None
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, dict) or error.get("code") != _AWAY:
        return ""
    return str(error.get("message") or "Le moteur du modèle redémarre : réessayez.")


def _overloaded(response: aiohttp.ClientResponse) -> ModelOverloaded:
    error = ModelOverloaded()
    said = response.headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        error.seconds = max(1, min(int(said), 3600))
    return error
