"""The API on a database of its own, and what tests of accounts do with it again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from albert.api.app import Application, create_app
from albert.api.database.engine import Database
from albert.api.mail.contract import Mail, Mailer
from albert.api.services import Services
from albert.testing.services import Answered, Outbox, ask, scripted, with_database

RIGHT = "Bon-mot-2-passe"
WRONG = "Mauvais-mot-2-passe"
API = "/api/v2"


@dataclass(frozen=True)
class Served:
    """One worker; ``mailer`` keeps what it sends unless another is given."""

    app: Application
    services: Services
    outbox: Outbox

    @property
    def database(self) -> Database:
        return self.services.database

    async def __call__(
        self, method: str, path: str, body: object = None, *, key: str | None = None
    ) -> Answered:
        return await ask(self.app, method, API + path, body, key=key)

    async def mails(self) -> list[Mail]:
        """Return what was sent, once the work in the background is done."""
        await self.services.background.wait()
        return self.outbox.sent

    async def sign_up(self, username: str, password: str = RIGHT) -> Answered:
        email = f"{username}@exemple.fr"
        body = {"username": username, "email": email, "password": password}
        return await self("POST", "/user/me", body)

    async def confirm(self, username: str, *, key: str, accepted: bool = True) -> Answered:
        body = {"email": f"{username}@exemple.fr", "is_confirmed": accepted}
        return await self("POST", "/user/confirm", body, key=key)

    async def sign_in(self, login: str, password: str = RIGHT) -> Answered:
        name = "email" if "@" in login else "username"
        return await self("POST", "/sign_in", {name: login, "password": password})

    async def token(self, username: str, password: str = RIGHT) -> str:
        return str((await self.sign_in(username, password)).json()["token"])


@asynccontextmanager
async def serving(uri: str, *, mailer: Mailer | None = None) -> AsyncIterator[Served]:
    outbox = Outbox()
    services = with_database(scripted(mailer=mailer or outbox), uri)
    app = create_app(services)
    await app.open()
    try:
        yield Served(app, services, outbox)
    finally:
        await app.close()


T = TypeVar("T")


def run(uri: str, story: Callable[[Served], Awaitable[T]], *, mailer: Mailer | None = None) -> T:
    """Tell a story to one worker, and return its end."""

    async def told() -> T:
        async with serving(uri, mailer=mailer) as served:
            return await story(served)

    return asyncio.run(told())
