"""The databases, as the guide starts and stops them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from compose_engine import ContainerEngine

pytest_plugins = ("compose_engine",)

PASSWORD = "p$x #1é"  # noqa: S105 — what needs care: a variable, a comment, an accent
PROJECT = "albert-essai"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def env_file(port: int, postgres_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's seven variables, and where the image is."""
    path = tmp_path_factory.mktemp("databases") / "essai.env"
    path.write_text(
        f"POSTGRES_PASSWORD='{PASSWORD}'\nPOSTGRES_PORT={port}\n"
        f"ELASTIC_PASSWORD=e\nELASTIC_PORT=9200\nQDRANT_PORT=6333\n"
        f"COMPOSE_FILE=contrib/compose/databases.yml\nCOMPOSE_PROJECT_NAME={PROJECT}\n"
        f"POSTGRES_IMAGE={postgres_image}\n",
        "utf-8",
    )
    return path


def of_the_guide(engine: ContainerEngine, env_file: Path) -> None:
    """Type its line, then wait until the database says that it is well."""
    compose = f"docker compose --env-file={env_file}"
    engine.said("sh", "-euc", f"{compose} down && {compose} up --detach")
    engine.wait_healthy(f"{PROJECT}-postgresql-1")


async def query(port: int, sql: str, password: str = PASSWORD) -> object:
    to = await asyncpg.connect(
        host="127.0.0.1", port=port, user="postgres", database="postgres", password=password
    )
    try:
        return await to.fetchval(sql)
    finally:
        await to.close()


def ask(port: int, sql: str, password: str = PASSWORD) -> object:
    return asyncio.run(query(port, sql, password))


@pytest.fixture(scope="module")
def running(engine: ContainerEngine, env_file: Path) -> Iterator[None]:
    of_the_guide(engine, env_file)
    yield
    engine.said("docker", "compose", f"--env-file={env_file}", "down", "--volumes")


@pytest.mark.usefixtures("running")
def test_data_outlive_the_guide_s_down_and_up(
    engine: ContainerEngine, env_file: Path, port: int
) -> None:
    ask(port, "CREATE TABLE fiches AS SELECT 42 AS nombre")
    of_the_guide(engine, env_file)
    assert ask(port, "SELECT nombre FROM fiches") == 42


@pytest.mark.usefixtures("running")
def test_a_wrong_password_is_refused_through_the_published_port(port: int) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(port, "SELECT 1", "autre")


@pytest.mark.usefixtures("running")
def test_the_database_listens_to_this_machine_only_and_has_no_right_of_root(
    engine: ContainerEngine,
) -> None:
    name = f"{PROJECT}-postgresql-1"
    assert engine.said("podman", "port", name).split()[-1].startswith("127.0.0.1:")
    status = engine.said("podman", "exec", name, "sh", "-c", "id -u; cat /proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert status.splitlines()[0] == "999"
    assert (facts["CapBnd"], facts["NoNewPrivs"]) == ("0" * 16, "1")
    assert engine.run("podman", "exec", name, "touch", "/etc/x").returncode == 1


def test_without_a_password_nothing_starts_and_the_sentence_says_which(
    engine: ContainerEngine, env_file: Path, tmp_path: Path
) -> None:
    kept = [line for line in env_file.read_text("utf-8").splitlines() if "POSTGRES_P" not in line]
    without = tmp_path / "sans.env"
    without.write_text("\n".join(kept), "utf-8")
    done = engine.run("docker", "compose", f"--env-file={without}", "up", "--detach")
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stderr
    assert "donnez dans le fichier de variables le mot de passe de PostgreSQL" in done.stderr
