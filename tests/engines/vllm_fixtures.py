"""Fixtures of the engines: a test asks for ``vllm_engine``, and says where they are:
``pytest_plugins = ("vllm_fixtures",)``. Its ``base_url`` and ``key`` are what a gateway is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from vllm_served import VllmEngine, served, tiny_model


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny-llama")


@pytest.fixture(scope="session")
def vllm_engine(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:
    """Give an engine that writes, one for the whole run."""
    with served(tiny_llama, "text-generation", tmp_path_factory.mktemp("logs")) as engine:
        yield engine
