"""Whether a replica answers, asked of real sockets."""

import asyncio
import socket

import pytest
from http_double import serving, status

from albert.routing.table import RoutedModel
from albert.serving.running import states

pytestmark = pytest.mark.integration


def test_each_replica_has_its_state() -> None:
    async def asked(busy: str, up: str, silent: int) -> list[tuple[str, ...]]:
        hosts = [{"host": f"{busy}/v1"}, {"host": f"{up}/v1"}, {"host": "127.0.0.1", "port": 1}]
        there = {"name": "a", "driver": "openai", "replicas": hosts}
        quiet = {"name": "b", "replicas": [{"host": "127.0.0.1", "port": silent}]}
        models = [there, quiet, {"name": "c"}]
        return list(await states([RoutedModel.model_validate(one) for one in models]))

    async def run(silent: int) -> list[tuple[str, ...]]:
        async with serving(status(503)) as busy, serving(status(200)) as up:
            found = await asked(busy.address, up.address, silent)
            assert [path for path, _ in (*busy.asked, *up.asked)] == ["/v1/models"] * 2
            return found

    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = asyncio.run(run(silent.getsockname()[1]))
    assert found == [("en attente", "sert", "arrêté"), ("en attente",), ("local",)]
