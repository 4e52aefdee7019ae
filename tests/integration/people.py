"""Somebody who calls the API of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from albert.api.app import Application, create_app
from albert.api.database.engine import Database
from albert.api.services import Services
from albert.testing.services import Answered, ask, enrol, scripted, with_database

API = "/api/v2"


@dataclass(frozen=True)
class Person:
    """One account and its token; a refusal that a test did not ask for fails it."""

    app: Application
    token: str

    async def ask(self, method: str, path: str, body: object = None) -> Answered:
        return await ask(self.app, method, API + path, body, key=self.token)

    async def status(self, method: str, path: str, body: object = None) -> int:
        return (await self.ask(method, path, body)).status

    async def get(self, path: str) -> Any:  # noqa: ANN401 — JSON
        return self._json(await self.ask("GET", path))

    async def post(self, path: str, body: object) -> Any:  # noqa: ANN401 — JSON
        return self._json(await self.ask("POST", path, body))

    async def delete(self, path: str) -> Any:  # noqa: ANN401 — JSON
        return self._json(await self.ask("DELETE", path))

    async def question(self, query: str = "Combien coûte un passeport ?", chat: int = 0) -> Any:  # noqa: ANN401 — JSON
        path = f"/stream/chat/{chat}" if chat else "/stream"
        return await self.post(path, {"model_name": "albert-extractif", "query": query})

    @staticmethod
    def _json(answered: Answered) -> Any:  # noqa: ANN401 — JSON
        assert answered.status == 200, answered.body
        return orjson.loads(answered.body)


@dataclass(frozen=True)
class House:
    """A service on its own database, with camille, her neighbour, and an administrator."""

    app: Application
    services: Services
    camille: Person
    neighbour: Person
    admin: Person

    @property
    def database(self) -> Database:
        return self.services.database

    async def settle(self) -> None:
        """Wait for the work in the background."""
        await self.services.background.wait()


@asynccontextmanager
async def house(uri: str, **said: Any) -> AsyncIterator[House]:  # noqa: ANN401 — fields of Services
    services = replace(with_database(scripted(), uri), **said)
    app = create_app(services)
    await app.open()
    try:
        tokens = [
            await enrol(services.database, "camille"),
            await enrol(services.database, "voisine"),
            await enrol(services.database, "chef", admin=True),
        ]
        yield House(app, services, *(Person(app, token) for token in tokens))
    finally:
        await app.close()
