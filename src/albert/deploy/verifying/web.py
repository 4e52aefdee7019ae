"""Plain requests to one service, whose mistakes are told as failures of a check."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import orjson

from albert.deploy.checks.asking import why
from albert.deploy.verifying.report import Failed
from albert.wire.sse import Decoder

_WIDE = 8 << 20
"""Bytes of an answer; more is no answer to these questions."""


class WrongStatus(Failed):
    """The answer has another status than expected."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """One address, and the key that opens it. No redirection is followed."""

    def __init__(self, session: aiohttp.ClientSession, address: str, key: str = "") -> None:
        self._session, self._address, self.key = session, address.rstrip("/"), key

    async def get(self, path: str, *, key: str | None = None, expected: int = 200) -> Any:  # noqa: ANN401 — JSON
        """Return the JSON of an answer of the status expected.

        Raises:
            Failed
        """
        return _json(path, await self.raw("GET", path, key=key, expected=expected))

    async def until_ready(self, path: str, seconds: float) -> Any:  # noqa: ANN401 — JSON
        """Return the JSON of ``path`` once it is 200: what was just deployed may still start.

        Raises:
            Failed: it was not within ``seconds``; the last answer is told.
        """
        return await _within(seconds, lambda: self.get(path, key=""))

    async def until_closed(self, path: str, seconds: float) -> None:
        """Wait until the key opens ``path`` no more: workers hear of it from one another.

        Raises:
            Failed: it still does after ``seconds``.
        """
        await _within(seconds, lambda: self.get(path, expected=401))

    async def post(self, path: str, body: object) -> Any:  # noqa: ANN401 — JSON
        """Raises: Failed."""
        return _json(path, await self.raw("POST", path, body))

    async def events(self, path: str, body: object) -> list[Any]:
        """Return the JSON of each event of a stream that ends by ``[DONE]``.

        Raises:
            Failed
        """
        said = await self.raw("POST", path, body)
        events = [event.data for event in Decoder().feed(said)]
        if not events or events[-1] != "[DONE]":
            raise Failed(f"{path} : le flux ne finit pas par [DONE].")
        return [_json(path, event.encode()) for event in events[:-1]]

    async def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        expected: int = 200,
    ) -> bytes:
        """Return the bytes of an answer; ``key=""`` asks without one.

        Raises:
            Failed: no answer, or another status.
        """
        key = self.key if key is None else key
        headers = {"authorization": f"Bearer {key}"} if key else {}
        if body is not None:
            headers["content-type"] = "application/json"
        try:
            async with self._session.request(
                method,
                f"{self._address}{path}",
                data=None if body is None else orjson.dumps(body),
                headers=headers,
                allow_redirects=False,
            ) as answer:
                said = await answer.content.read(_WIDE)
                while not answer.content.at_eof() and len(said) < _WIDE:
                    said += await answer.content.read(_WIDE)
        except TimeoutError:
            raise Failed(f"{path} : pas de réponse à temps.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failed(f"{path} : le service ne répond pas ({why(error)[1]}).") from None
        if answer.status != expected:
            told = f"{path} : {answer.status}, et non {expected}. {_reason(said)}"
            raise WrongStatus(answer.status, told.strip())
        return said


async def _within(seconds: float, ask: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
    """Ask until it does not fail, or for the last time once ``seconds`` are over."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await ask()
        except Failed:
            if asyncio.get_running_loop().time() >= end:
                raise
            await asyncio.sleep(0.2)


def norm(vector: Sequence[float]) -> float:
    """Return the Euclidean norm."""
    return math.sqrt(math.fsum(x * x for x in vector))


def vectors(path: str, told: Any, asked: int) -> str:  # noqa: ANN401 — JSON
    """Return what there is to say of embeddings in OpenAI's form.

    Raises:
        Failed: not as many as asked, of several lengths, or not of norm 1.
    """
    try:
        found = [list(map(float, one["embedding"])) for one in told["data"]]
    except (KeyError, TypeError, ValueError):
        raise Failed(f"{path} : ce ne sont pas des vecteurs dans la forme d'OpenAI.") from None
    dimensions = {len(vector) for vector in found}
    if len(found) != asked or len(dimensions) != 1 or dimensions == {0}:
        raise Failed(f"{path} : {len(found)} vecteurs pour {asked} textes, {dimensions} nombres.")
    norms = [norm(vector) for vector in found]
    if off := [length for length in norms if not abs(length - 1) < 1e-3]:
        raise Failed(f"{path} : un vecteur est de norme {off[0]:.3f}, et non 1.")
    return f"{dimensions.pop()} dimensions, norme {norms[0]:.3f}"


def _json(path: str, said: bytes) -> Any:  # noqa: ANN401 — JSON
    try:
        return orjson.loads(said)
    except ValueError:
        raise Failed(f"{path} : la réponse n'est pas du JSON.") from None


def _reason(said: bytes) -> str:
    """Return the sentence of a refusal in either of Albert's forms."""
    try:
        value = orjson.loads(said)
        told = value.get("detail") or value["error"]["message"]
    except (ValueError, AttributeError, KeyError, TypeError):
        return ""
    return " ".join(str(told).split())[:300]
