"""The service, if it runs here: the command line asks it, for it is warm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from albert.bootstrap.albert import Albert
from albert.domain.errors import AlbertError, ServiceError
from albert.wire.sse import Decoder

_LOOK = aiohttp.ClientTimeout(total=0.5)
_ASK = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=300)


@dataclass(frozen=True, slots=True)
class Remote:
    """A running service of this very data folder, and the key that opens it."""

    session: aiohttp.ClientSession

    async def post(self, path: str, body: dict[str, object]) -> Any:  # noqa: ANN401 - any JSON
        async with self.session.post(path, json=body) as answer:
            await _checked(answer)
            return orjson.loads(await answer.read())

    async def stream(self, path: str, body: dict[str, object]) -> AsyncIterator[dict[str, Any]]:
        """Yield the chunks of a streamed answer."""
        async with self.session.post(path, json=body) as answer:
            await _checked(answer)
            decoder = Decoder()
            async for data in answer.content.iter_any():
                for event in decoder.feed(data):
                    if event.data == "[DONE]":
                        return
                    chunk = orjson.loads(event.data)
                    if "error" in chunk:
                        raise ServiceError(chunk["error"]["message"])
                    yield chunk


@asynccontextmanager
async def service(albert: Albert) -> AsyncIterator[Remote | None]:
    """Give the running service, or None where none answers to our key."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(albert.settings.host, albert.settings.host)  # noqa: S104 - compared, not bound
    address = f"http://[{host}]" if ":" in host else f"http://{host}"
    key = _key(albert.home.secrets / "api-key")
    async with aiohttp.ClientSession(
        f"{address}:{albert.settings.port}",
        headers={"authorization": f"Bearer {key}"},
        timeout=_ASK,
        trust_env=False,
    ) as session:
        try:
            async with session.get("/v1/models", timeout=_LOOK) as answer:
                running = bool(key) and answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            running = False
        yield Remote(session) if running else None


def _key(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""


async def _checked(answer: aiohttp.ClientResponse) -> None:
    if answer.status < 400:
        return
    try:
        body = orjson.loads(await answer.read())
        message = str(body["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        message = f"le service a répondu {answer.status}"
    raise AlbertError(message)
