"""The whole API with one sheet and a model that reads it: guarded answers, without a corpus.

    python -m gateway.ours < orders.json

Reads one line of JSON: ``{"postgres": …, "models": {name: {"base_url", "model", "key"}}}``.
``"guarded"`` names the one that answers from the sheet.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TypedDict

import uvloop

from albert.api.app import create_app
from albert.api.call_log import CallLog
from albert.api.metrics.page import Metrics
from albert.api.recorders import Recorders
from albert.api.services import Services
from albert.asgi.run import serve
from albert.assistant.generative import ModelAnswerer
from albert.assistant.guarded import GuardedAnswerer
from albert.guard import urls
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist
from albert.prompt.templated import TemplatePrompter
from albert.routing.chat_model import RoutedChatModel
from albert.testing.services import PASSPORT, ListRetriever, Upstream, scripted, with_database
from gateway.servers import Model


class Order(TypedDict):
    postgres: str
    models: dict[str, Model]
    guarded: str


async def main(order: Order) -> None:
    app = create_app(services(order))
    await serve(app, "127.0.0.1", 0, lambda address: print(address, flush=True))


def services(order: Order) -> Services:
    upstreams = {name: Upstream(**model) for name, model in order["models"].items()}
    metrics = Metrics()
    made = replace(
        with_database(scripted(upstreams=upstreams), order["postgres"]),
        metrics=metrics,
        recorder=Recorders([metrics.calls, CallLog()]),
    )
    chat = RoutedChatModel(made.dispatcher, order["guarded"], window=8192)
    answerer = ModelAnswerer(ListRetriever([PASSPORT]), TemplatePrompter(), chat, newest=dict)
    known = Whitelist.of({"url": [urls.key(PASSPORT.url)]})
    guarded = GuardedAnswerer(answerer, AddressGuard(lambda: known))
    return replace(made, answerers={**made.answerers, order["guarded"]: guarded})


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.stdin.readline())))
