"""Albert's gateway as it is served, with accounts in a real PostgreSQL and nothing learnt.

    python -m gateway.ours < orders.json

Reads one line of JSON: ``{"postgres": …, "models": {name: {"base_url", "model", "key"}}}``.
Where ``"guarded"`` names one of them, that model also answers from the sheets.
"""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TypedDict

import aiohttp
import uvloop

from albert.api.app import create_app
from albert.api.services import Services, Upstream
from albert.asgi.run import serve
from albert.assistant.generative import ModelAnswerer
from albert.assistant.guarded import GuardedAnswerer
from albert.guard import urls
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist
from albert.inference.openai_compatible import OpenAIChatModel
from albert.prompt.templated import TemplatePrompter
from albert.testing.services import PASSPORT, ListRetriever, scripted, with_database


class Model(TypedDict):
    base_url: str
    model: str
    key: str


class Order(TypedDict):
    postgres: str
    models: dict[str, Model]
    guarded: str


async def main(order: Order) -> None:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        app = create_app(services(order, session))
        await serve(app, "127.0.0.1", 0, lambda address: print(address, flush=True))


def services(order: Order, session: aiohttp.ClientSession) -> Services:
    upstreams = {name: Upstream(**model) for name, model in order["models"].items()}
    made = with_database(scripted(upstreams=upstreams), order["postgres"])
    if not order["guarded"]:
        return made
    one = order["models"][order["guarded"]]
    chat = OpenAIChatModel(
        one["base_url"], one["model"], key=one["key"], window=8192, session=session
    )
    answerer = ModelAnswerer(ListRetriever([PASSPORT]), TemplatePrompter(), chat, newest=dict)
    known = Whitelist.of({"url": [urls.key(PASSPORT.url)]})
    guarded = GuardedAnswerer(answerer, AddressGuard(lambda: known))
    return replace(made, answerers={**made.answerers, order["guarded"]: guarded})


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.stdin.readline())))
