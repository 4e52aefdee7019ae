"""Middleware for vLLM's server, run in vLLM's Python: nobody enters without the key.

vLLM asks for its key under ``/v1`` only, and gives the same answers at ``/invocations``, which it
leaves open with ``/tokenize``, ``/metrics`` and others. The standard library only, and Python 3.9:
nothing of ours is installed there.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Event, Receive, Send], Awaitable[None]]

_REFUSAL = (
    b'{"error":{"message":"Unauthorized","type":"authentication_error",'
    b'"param":null,"code":"unauthenticated"}}'
)


class Door:
    """Everything but ``/health`` wants ``Authorization: Bearer <VLLM_API_KEY>``."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._expected = b"Bearer " + os.environb[b"VLLM_API_KEY"]

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Pass on what may enter."""
        if scope["type"] == "lifespan" or scope["path"] == "/health" or self._admits(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSAL})

    def _admits(self, scope: Event) -> bool:
        said: bytes = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(said, self._expected)
