"""The client for programs that run on asyncio; the other one stands on it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self, TypedDict, TypeVar, Unpack

import orjson

from albert.client.accounts import AsyncTokens, AsyncUsers
from albert.client.connection import Connection, given, segment
from albert.client.conversations import AsyncChats, AsyncFeedbacks, AsyncStreams, How
from albert.client.forms import Account, Answer, Chunk, Model, Organization, Sheet, read
from albert.client.resuming import DELAYS, AsyncAnswerStream

IndexName = Literal["sheets", "chunks", "experiences"]
Similarity = Literal["bm25", "e5", "hybrid"]

T = TypeVar("T")


class Where(TypedDict, total=False):
    """What a search keeps; what is left out keeps everything."""

    institution: str
    sources: Sequence[str]
    should_sids: Sequence[str]
    """Only these sheets."""
    must_not_sids: Sequence[str]
    """All sheets but these."""
    audiences: Sequence[str]
    stream_id: int
    """Keeps the sheets found on that question."""


class AsyncAlbert:
    """One service, asked by one person.

    ``timeout`` is of a whole call, in seconds. An answer may last; ``silence`` is for how long
    nothing may come of it, its heartbeats included. ``delays`` are the seconds before each new
    connection when one is lost in an answer.

    Every call raises the errors of ``albert.client.errors``.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8090",
        token: str | None = None,
        *,
        timeout: float = 30,
        silence: float = 60,
        delays: Sequence[float] = DELAYS,
    ) -> None:
        self._connection = Connection(base_url, token, timeout=timeout, silence=silence)
        self.tokens = AsyncTokens(self._connection)
        self.users = AsyncUsers(self._connection)
        self.chats = AsyncChats(self._connection)
        self.streams = AsyncStreams(self._connection, tuple(delays))
        self.feedback = AsyncFeedbacks(self._connection)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.address!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a session stays open until ``sign_out`` or its 24 hours."""
        await self._connection.close()

    async def sign_up(
        self,
        username: str,
        email: str,
        password: str,
        *,
        organization_id: str | None = None,
        organization_name: str | None = None,
        accept_cookie: bool = False,
        accept_retrain: bool = False,
    ) -> None:
        """Ask for an account, which an admin must accept.

        The organization, both or neither, is one of ``organizations``.
        """
        body = given(
            username=username,
            email=email,
            password=password,
            organization_id=organization_id,
            organization_name=organization_name,
            accept_cookie=accept_cookie,
            accept_retrain=accept_retrain,
        )
        await self._connection.ask("POST", "/user/me", body)

    async def sign_in(self, login: str, password: str) -> None:
        """Open a session, with a user name or an e-mail address; later calls are made in it."""
        body = {"email" if "@" in login else "username": login, "password": password}
        said = await self._connection.read(dict[str, str], "POST", "/sign_in", body)
        self._connection.bear(said.get("token"))

    async def sign_out(self) -> None:
        """Kill the token that the client bears, and forget it."""
        await self._connection.ask("POST", "/sign_out")
        self._connection.bear(None)

    async def send_reset_password_email(self, email: str) -> None:
        """Have a link sent to that address; nothing tells whether it has an account."""
        await self._connection.ask("POST", "/send_reset_password_email", {"email": email})

    async def reset_password(self, token: str, password: str) -> None:
        """Choose a password with the token of the link."""
        body = {"token": token, "password": password}
        await self._connection.ask("POST", "/reset_password", body)

    async def me(self) -> Account:
        return await self._connection.read(Account, "GET", "/user/me")

    async def export(self) -> bytes:
        """Return all that the service keeps of the account: a zip that holds a JSON file."""
        return await self._connection.ask("GET", "/user/me/export")

    async def delete_me(self) -> None:
        """Erase the account and all that is its own, for ever."""
        await self._connection.ask("DELETE", "/user/me")
        self._connection.bear(None)

    async def contact(self, subject: str, text: str, institution: str | None = None) -> None:
        """Write to those who run the service."""
        body = given(subject=subject, text=text, institution=institution)
        await self._connection.ask("POST", "/user/contact", body)

    async def ask(
        self,
        question: str,
        *,
        chat: int | None = None,
        model: str | None = None,
        **how: Unpack[How],
    ) -> Answer:
        """Ask a question, alone or in the chat of that id, and return the whole answer."""
        asked = await self.ask_stream(question, chat=chat, model=model, **how)
        async with asked as answer:
            return await answer.whole()

    async def ask_stream(
        self,
        question: str,
        *,
        chat: int | None = None,
        model: str | None = None,
        **how: Unpack[How],
    ) -> AsyncAnswerStream:
        """Ask a question and return its answer, to be read piece by piece."""
        stream = await self.streams.create(question, chat=chat, model=model, **how)
        return await self.streams.start(stream.id)

    async def search(
        self,
        query: str,
        *,
        index: IndexName = "chunks",
        limit: int = 3,
        similarity: Similarity = "hybrid",
        expand_acronyms: bool = True,
        **where: Unpack[Where],
    ) -> list[Chunk]:
        """Return the passages that are nearest, best first; of ``sheets``, one of each sheet."""
        body = {
            "name": index,
            "query": query,
            "limit": limit,
            "similarity": similarity,
            "expand_acronyms": expand_acronyms,
            **where,
        }
        return await self._connection.read(list[Chunk], "POST", "/indexes", body)

    async def chunk(self, hash_: str) -> Chunk:
        return await self._connection.read(Chunk, "GET", f"/get_chunk/{segment(hash_)}")

    async def chunks(self, hashes: Sequence[str]) -> list[Chunk | None]:
        """Return passages in the order asked, ``None`` for one that is unknown; 100 at most."""
        body = {"uids": list(hashes)}
        return _known(Chunk, await self._connection.ask("POST", "/get_chunks", body))

    async def sheet(self, sid: str) -> Sheet:
        """Return a sheet by its ``sid``, or by ``source/sid`` where two sources have the same."""
        return await self._connection.read(Sheet, "GET", f"/get_sheet/{segment(sid)}")

    async def sheets(self, sids: Sequence[str]) -> list[Sheet | None]:
        """Return sheets in the order asked, ``None`` for one that is unknown; 100 at most."""
        body = {"uids": list(sids)}
        return _known(Sheet, await self._connection.ask("POST", "/get_sheets", body))

    async def models(self) -> dict[str, Model]:
        return await self._connection.read(dict[str, Model], "GET", "/models")

    async def institutions(self) -> list[str]:
        """Return the names that ``institution`` may take, in order."""
        return await self._connection.read(list[str], "GET", "/institutions")

    async def organizations(self) -> list[Organization]:
        """Return the France services houses, by name; needs no token."""
        return await self._connection.read(list[Organization], "GET", "/organizations/mfs")


def _known(kind: type[T], body: bytes) -> list[T | None]:
    """Read a list in which ``{}`` stands for what is unknown."""
    found = orjson.loads(body)
    return [read(kind, orjson.dumps(one)) if one else None for one in found]
