"""The gateway's table, read anew."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from albert.bootstrap.passage import Passage
from albert.cli.logs import message
from albert.settings import load

TABLE = '{"m": {"driver": "openai", "replicas": [{"host": "h"}]}}'


def test_a_table_that_is_wrong_is_told_with_its_reasons_and_the_one_before_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "table.json"
    path.write_text(TABLE, "utf-8")
    passage = Passage(load({"ALBERT_ROUTING_TABLE": str(path)}))
    path.write_text(TABLE.replace("openai", "ollama"), "utf-8")

    asyncio.run(passage.try_reload())

    [record] = caplog.records
    assert "ligne 1 : « m », driver : il faut 'vllm'" in message(record)
    assert [route.model.driver for route in passage.dispatcher.fleet] == ["openai"]


def test_a_table_that_was_read_is_told_at_info(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "table.json"
    path.write_text(TABLE, "utf-8")
    passage = Passage(load({"ALBERT_ROUTING_TABLE": str(path)}))

    with caplog.at_level(logging.INFO, "albert"):
        asyncio.run(passage.try_reload())

    assert [message(record) for record in caplog.records] == ["routing table read"]
