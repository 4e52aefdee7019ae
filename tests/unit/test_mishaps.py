"""What the system refused: the sentence names what says the place, a variable or an option."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from albert.api.auth_log import auth_log
from albert.api.keys import ensure_key
from albert.asgi.run import listen
from albert.deploy.compose.folder import put as put_rendered
from albert.deploy.systemd.placing import Change
from albert.deploy.systemd.placing import put as put_unit
from albert.deploy.verifying.report import Failed
from albert.deploy.verifying.web import Service
from albert.domain.errors import AlbertError, HomeError
from albert.domain.mishaps import mishap
from albert.settings import load

NOWHERE = Path("/proc/nowhere")
"""Root itself makes nothing there."""


def test_a_file_of_the_data_folder_is_told_with_its_variable() -> None:
    told = str(mishap(PermissionError(13, "Permission denied", "/srv/a")))
    assert told.startswith("« /srv/a » est inutilisable (les droits manquent)")
    assert told.endswith("ou changez ALBERT_HOME.")


@pytest.mark.parametrize(
    ("write", "option"),
    [
        (lambda: put_rendered({}, NOWHERE / "build"), "--output"),
        (lambda: put_unit(Change(NOWHERE / "a.env", "créé", "--config")), "--config"),
    ],
)
def test_a_file_that_a_deployment_writes_is_told_with_its_option(
    write: Callable[[], object], option: str
) -> None:
    with pytest.raises(HomeError, match=f"ou changez {option}\\.$"):
        write()


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda: auth_log(load({"ALBERT_AUTH_LOG": str(NOWHERE / "a.log")})), "il n'existe pas"),
        (lambda: ensure_key(NOWHERE), "il n'existe pas"),
        (lambda: listen("203.0.113.7", 0), "cette adresse n'est pas de cette machine"),
        (lambda: listen("nulle-part.invalid", 0), "ce nom n'a pas d'adresse"),
    ],
)
def test_why_the_system_refused_is_told_in_french(act: Callable[[], object], why: str) -> None:
    with pytest.raises(AlbertError, match=f"\\({why}\\)"):
        act()


def test_a_service_that_is_not_there_is_told_in_french() -> None:
    async def ask() -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        async with aiohttp.ClientSession() as session:
            await Service(session, f"http://127.0.0.1:{port}").get("/health")

    with pytest.raises(Failed, match=r"^/health : le service ne répond pas \(rien n'y écoute\)\.$"):
        asyncio.run(ask())
