"""What shows that an engine serves: the first token, and signs of life after that."""

from __future__ import annotations

import asyncio

import aiohttp

from albert.routing.table import ModelType

_QUESTIONS: dict[ModelType, tuple[str, dict[str, object]]] = {
    "text-generation": ("/completions", {"prompt": "Bonjour", "max_tokens": 1}),
    "embeddings": ("/embeddings", {"input": "Bonjour"}),
    "rerank": ("/rerank", {"query": "Bonjour", "documents": ["Bonjour", "Au revoir"]}),
}
_LATER = {404, 408, 425, 429}
"""An engine that still loads may not have its routes yet."""


class Refusal(Exception):
    """The engine will never serve this model: it refuses a request that any model takes."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Probe:
    """Asks engines of this machine; follows no redirect."""

    def __init__(self, session: aiohttp.ClientSession, *, poll: float, patience: float) -> None:
        """``poll`` between two tries, ``patience`` for a sign of life, in seconds."""
        self._session = session
        self._poll = poll
        self._patience = aiohttp.ClientTimeout(total=patience)

    async def first_answer(self, base_url: str, key: str, model: str, kind: ModelType) -> None:
        """Return once a token was generated, or a vector computed, however long that takes.

        Raises:
            Refusal
        """
        path, question = _QUESTIONS[kind]
        body = {"model": model, **question}
        while not await self._answers(base_url + path, key, body):  # noqa: ASYNC110 — another process has no Event
            await asyncio.sleep(self._poll)

    async def _answers(self, address: str, key: str, body: dict[str, object]) -> bool:
        try:
            async with self._session.post(
                address,
                json=body,
                headers={"Authorization": f"Bearer {key}", "Connection": "close"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response:
                await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError):
            return False
        if status in range(400, 500) and status not in _LATER:
            raise Refusal(status)
        return status == 200

    async def alive(self, base_url: str, key: str) -> bool:
        """Whether it says in time that it is well; llama.cpp and vLLM have the same route."""
        try:
            async with self._session.get(
                base_url.removesuffix("/v1") + "/health",
                headers={"Authorization": f"Bearer {key}", "Connection": "close"},
                allow_redirects=False,
                timeout=self._patience,
            ) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError):  # a TimeoutError is an OSError
            return False
