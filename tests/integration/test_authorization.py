"""Who may call what: every route of the application, as everybody.

A new route needs nothing here if its path has no parameter and its signature says
``Member`` or ``Admin``. One with the id of an object says in ``OBJECTS`` how to make that
object; one that is public must be in ``PUBLIC``, the list of the HTTP contract.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from accounts_served import Served, run
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from albert.api import access
from albert.api.app import create_app
from albert.api.docs.openapi import describe_raw_routes
from albert.api.features.chats.tables import Chat
from albert.api.features.feedback.tables import Feedback
from albert.api.features.streams import repository as streams
from albert.api.features.streams.schemas import StreamCreate
from albert.api.features.tokens import service as tokens
from albert.testing.queries import checked_out
from albert.testing.services import PASSPORT, ask, enrol, scripted

pytestmark = pytest.mark.integration

PUBLIC = {
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/api/v2/healthcheck"),
    ("GET", "/api/v2/organizations/mfs"),
    ("POST", "/api/v2/user/me"),
    ("POST", "/api/v2/sign_in"),
    ("POST", "/api/v2/send_reset_password_email"),
    ("POST", "/api/v2/reset_password"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
}
"""What the contract lets anybody call."""


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    who: str
    """``public``, ``member`` or ``admin``, from the signature."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


Make = Callable[[Served, int], Awaitable[dict[str, str]]]


@dataclass(frozen=True)
class Object:
    """How to make what a path names, for an owner's number, and what others are told of it."""

    make: Make
    body: object = None
    """What the owner sends, so that the answer is 2xx."""
    others: int = 403
    admin: int | None = None
    """An admin's status; by default 200 for GET, that of others for the rest."""


async def a_token(served: Served, owner: int) -> dict[str, str]:
    return {"token": await tokens.create(served.database, owner, "a-supprimer")}


async def a_model(_served: Served, _owner: int) -> dict[str, str]:
    return {"model": "albert-extractif"}


async def a_chat(served: Served, owner: int) -> dict[str, str]:
    async with served.database.session() as session:
        chat = Chat(user_id=owner, chat_type="qa")
        session.add(chat)
        await session.flush()
        return {"chat_id": str(chat.id)}


ASKED = {"model_name": "albert-extractif", "query": "Combien ?"}


async def a_stream(served: Served, owner: int) -> dict[str, str]:
    async with served.database.session() as session:
        asked = StreamCreate.model_validate(ASKED)
        return {"stream_id": str((await streams.create(session, owner, asked)).id)}


async def an_opinion(served: Served, owner: int) -> dict[str, str]:
    named = await a_stream(served, owner)
    async with served.database.session() as session:
        opinion = Feedback(
            stream_id=int(named["stream_id"]), user_id=owner, type="chat", is_good=True
        )
        session.add(opinion)
        await session.flush()
        return {"feedback_id": str(opinion.id)}


async def a_chunk(_served: Served, _owner: int) -> dict[str, str]:
    return {"hash": PASSPORT.id}


async def a_sheet(_served: Served, _owner: int) -> dict[str, str]:
    return {"sid": "F14929", "sid:path": "F14929"}


GOOD = {"type": "chat", "is_good": True}

OBJECTS: Mapping[str, Object] = {
    "/api/v2/chat/{chat_id}": Object(a_chat, body={"chat_name": "Passeport"}),
    "/api/v2/chat/delete/{chat_id}": Object(a_chat),
    "/api/v2/chat/archive/{chat_id}": Object(a_chat),
    "/api/v2/stream/chat/{chat_id}": Object(a_chat, body=ASKED),
    "/api/v2/stream/{stream_id}": Object(a_stream),
    # to start is to have an answer written: for its owner alone
    "/api/v2/stream/{stream_id}/start": Object(a_stream, admin=403),
    "/api/v2/stream/{stream_id}/stop": Object(a_stream),
    "/api/v2/feedback/add/{stream_id}": Object(a_stream, body=GOOD),
    "/api/v2/feedback/{feedback_id}": Object(an_opinion),
    "/api/v2/feedback/delete/{feedback_id}": Object(an_opinion),
    "/api/v2/get_chunk/{hash}": Object(a_chunk, others=200),
    "/api/v2/get_sheet/{sid:path}": Object(a_sheet, others=200),
    # a token is found among one's own alone: whether another has it is not said
    "/api/v2/user/token/{token}": Object(a_token, others=404, admin=404),
    # nobody's: everybody may read it
    "/v1/models/{model}": Object(a_model, others=200),
    "/api/v1/models/{model}": Object(a_model, others=200),
}
"""What the paths name: others get 403, an admin reads, changes none."""


def needs(dependant: Dependant) -> str:
    """Return who may call, from what a route depends on."""
    called = {one.call for one in everything(dependant)}
    if access.admin in called:
        return "admin"
    return "member" if access.member in called else "public"


def everything(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from everything(one)


def every_route() -> list[Route]:
    web = create_app(scripted()).web
    found = []
    for context in iter_route_contexts(web.routes):
        path, route = context.path, context.original_route
        who = needs(route.dependant) if isinstance(route, APIRoute) else "public"
        methods = sorted((context.methods or set()) - {"HEAD"})
        found += [Route(method, str(path), who) for method in methods]
    raw = describe_raw_routes({"paths": {}})["paths"]
    found += [Route(m.upper(), path, "member") for path, one in raw.items() for m in one]
    return found


ROUTES = every_route()
NAMED = [route for route in ROUTES if "{" in route.path]


@dataclass(frozen=True)
class People:
    owner: str
    other: str
    admin: str
    waiting: str
    revoked: str
    owner_id: int = 1


async def people(served: Served) -> People:
    database = served.database
    owner = await enrol(database, "owner")
    other = await enrol(database, "other")
    admin = await enrol(database, "admin", admin=True)
    waiting = await enrol(database, "waiting", confirmed=None)
    revoked = await enrol(database, "revoked")
    await tokens.revoke(database, 5, revoked)
    return People(owner, other, admin, waiting, revoked)


async def status(served: Served, route: Route, path: str, key: str | None, body: object) -> int:
    """Call a route, see that it leaves no connection in use, and return its status."""
    sent = None if route.method == "GET" else body
    answered = await ask(served.app, route.method, path, sent, key=key)
    await served.services.background.wait()
    for _ in range(100):  # an answer that was begun goes on after the last byte, for an instant
        if not checked_out(served.database):
            break
        await asyncio.sleep(0.02)
    assert checked_out(served.database) == 0
    return answered.status


def at(route: Route, parameters: Mapping[str, str]) -> str:
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: parameters.get(found[1], "1"), route.path)


def test_there_are_routes_of_each_kind() -> None:
    assert {route.who for route in ROUTES} == {"public", "member", "admin"}
    assert {str(route) for route in ROUTES} >= {"POST /v1/chat/completions", "GET /api/v2/user/me"}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_public_route_is_one_that_the_contract_names(route: Route) -> None:
    named = (route.method, route.path) in PUBLIC
    assert named == (route.who == "public"), (
        f"{route} : a route that anybody may call is in PUBLIC, by contract; "
        "the others say Member or Admin in their signature"
    )


@pytest.mark.parametrize("route", NAMED, ids=str)
def test_a_route_that_names_an_object_says_how_to_make_one(route: Route) -> None:
    assert route.path in OBJECTS, f'add "{route.path}": Object(make, …) to OBJECTS of this file'


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_the_door_of_each_route(database_uri: str, route: Route) -> None:
    """Without a right nobody passes; with it, nobody is told 401."""
    expected = {
        "public": (False, False, False, False),
        "member": (401, 403, 401, False),
        "admin": (401, 403, 401, 403),
    }

    async def story(served: Served) -> tuple[int, ...]:
        who = await people(served)
        keys = (None, who.waiting, who.revoked, who.other)
        return tuple([await status(served, route, at(route, {}), key, {}) for key in keys])

    known = 3 if "{" in route.path else 4  # whether an object is another's is asked below
    found = run(database_uri, story)[:known]
    told = tuple(
        one if wanted else one in (401, 403)
        for one, wanted in zip(found, expected[route.who], strict=False)
    )
    assert told == expected[route.who][:known], found


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.who == "admin" and route not in NAMED], ids=str
)
def test_an_administrator_passes_where_only_they_do(database_uri: str, route: Route) -> None:
    async def story(served: Served) -> int:
        return await status(served, route, route.path, (await people(served)).admin, {})

    assert run(database_uri, story) not in (401, 403)


@pytest.mark.parametrize(
    "route", [one for one in NAMED if one.who == "member" and one.path in OBJECTS], ids=str
)
def test_an_object_is_its_owners(database_uri: str, route: Route) -> None:
    one = OBJECTS[route.path]
    reading = 200 if route.method == "GET" else one.others

    async def story(served: Served) -> tuple[int, int, int]:
        who = await people(served)
        path = at(route, await one.make(served, who.owner_id))
        others = await status(served, route, path, who.other, one.body)
        admins = await status(served, route, path, who.admin, one.body)
        return others, admins, await status(served, route, path, who.owner, one.body)

    others, admins, owners = run(database_uri, story)
    assert (others, admins) == (one.others, reading if one.admin is None else one.admin)
    assert 200 <= owners < 300


def test_the_door_holds_when_everybody_knocks_at_once(database_uri: str) -> None:
    async def story(served: Served) -> set[int]:
        who = await people(served)
        asked = [served("GET", "/users/pending", key=who.other) for _ in range(40)]
        return {answered.status for answered in await asyncio.gather(*asked)}

    assert run(database_uri, story) == {403}
