"""A table that is refused changes nothing, the engines of this machine included."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import pytest

from albert.bootstrap.models import Models
from albert.domain.errors import TableInvalid
from albert.routing.dispatch import Dispatcher
from albert.routing.fleet import Fleet
from albert.routing.reading import parse
from albert.routing.replica import FixedEndpoint
from albert.routing.table import RoutedModel, RoutingTable
from albert.serving.supervisor import Supervisor

HERE = '{"m": {"driver": "llama.cpp", "file": "a.gguf"}%s}'
KEYED = ', "n": {"driver": "openai", "replicas": [{"host": "http://n/v1", "key_variable": "KEY"}]}'


@dataclass
class Engines:
    """A supervisor whose only engine every table would stop; ``followed`` counts the tables."""

    engine: FixedEndpoint
    followed: int = 0

    def leaving(self, models: Iterable[RoutedModel]) -> list[FixedEndpoint]:
        return [self.engine]

    async def reconcile(self, models: Iterable[RoutedModel]) -> None:
        self.followed += 1


def table(text: str) -> RoutingTable:
    made, mistakes = parse(text)
    assert not mistakes
    return made


@pytest.mark.parametrize(("key", "followed"), [("", 0), ("k", 1)])
def test_a_key_that_is_not_set_is_seen_before_any_engine_is_stopped(
    key: str, followed: int
) -> None:
    engine = FixedEndpoint("http://127.0.0.1:4242/v1")
    engines = Engines(engine)
    fleet = Fleet(table(HERE % ""), key_of=lambda _: key, launched={"m": engine}.get)
    models = Models(
        answerers={},
        dispatcher=Dispatcher(fleet),
        supervisor=cast("Supervisor", engines),
        table=lambda: table(HERE % KEYED),
    )
    (replica,) = fleet.route("m").replicas

    if key:
        asyncio.run(models.reload())
    else:
        with pytest.raises(TableInvalid, match="KEY"):
            asyncio.run(models.reload())
        assert not replica.draining

    assert engines.followed == followed
