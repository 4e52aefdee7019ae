"""The authentication log: who is refused leaves a line, without what they said."""

import asyncio
import logging
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from albert.api.app import create_app
from albert.api.auth_log import AppendedLines, AuthLog, auth_log
from albert.api.gateway import Gateway, GatewayServices
from albert.api.metrics.page import Metrics
from albert.asgi.client import TrustedProxies
from albert.domain.errors import SettingInvalid
from albert.settings import load
from albert.testing.services import KEY, ask, scripted

NOON = 1796040000.0
WHEN = "2026-11-30T12:00:00+0000"


def lines(path: Path) -> list[str]:
    return path.read_text("ascii").splitlines()


def asked(path: Path, target: str, *, key: str | None, method: str = "GET") -> int:
    log = AuthLog(AppendedLines(path), clock=lambda: NOON)
    services = replace(scripted(), auth_log=log, metrics=Metrics(key="albert-autre-cle"))

    async def one_call() -> int:
        return (await ask(create_app(services), method, target, key=key)).status

    return asyncio.run(one_call())


@pytest.mark.parametrize("target", ["/v1/models", "/api/v1/models", "/api/v2/user/me", "/metrics"])
def test_a_token_that_opens_nothing_leaves_a_line_without_it(tmp_path: Path, target: str) -> None:
    path = tmp_path / "auth.log"

    assert asked(path, target, key="albert-devine") == 401
    assert lines(path) == [f"{WHEN} token_refused client=-"]


def test_a_gateway_alone_keeps_it_too(tmp_path: Path) -> None:
    path, services = tmp_path / "auth.log", scripted()
    gateway = Gateway(
        GatewayServices(
            gate=services.gate,
            database=services.database,
            dispatcher=services.dispatcher,
            auth_log=AuthLog(AppendedLines(path), clock=lambda: NOON),
        )
    )

    assert asyncio.run(ask(gateway, "GET", "/v1/models", key="albert-devine")).status == 401
    assert lines(path) == [f"{WHEN} token_refused client=-"]


@pytest.mark.parametrize(
    ("target", "key", "status"),
    [("/v1/models", KEY, 200), ("/v1/models", None, 401), ("/v1/nulle-part", KEY, 404)],
    ids=["a good token", "no token", "nothing there"],
)
def test_who_guesses_nothing_leaves_no_line(
    tmp_path: Path, target: str, key: str | None, status: int
) -> None:
    path = tmp_path / "auth.log"

    assert asked(path, target, key=key) == status
    assert not path.exists()


def test_the_file_is_closed_to_others_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    AppendedLines(path).check()
    AppendedLines(path).add("one")
    AppendedLines(path).add("two")

    assert lines(path) == ["one", "two"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0


def test_a_file_that_was_moved_is_made_again(tmp_path: Path) -> None:
    path, moved = tmp_path / "auth.log", tmp_path / "auth.log.1"
    file = AppendedLines(path)
    file.add("one")
    path.rename(moved)
    file.add("two")

    assert (lines(moved), lines(path)) == (["one"], ["two"])


def test_a_file_that_cannot_be_written_any_more_refuses_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    with caplog.at_level(logging.WARNING):
        AppendedLines(folder / "auth.log").add("one")

    assert "authentication log" in caplog.text


def test_a_log_that_cannot_be_written_stops_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    given = {"ALBERT_AUTH_LOG": str(tmp_path / "nowhere" / "auth.log")}
    with pytest.raises(SettingInvalid, match=r"ALBERT_AUTH_LOG .* créez le dossier"):
        auth_log(load(given))


def test_without_a_setting_nothing_is_kept() -> None:
    auth_log(load({})).answered({"type": "http"}, 401)  # it does not even look at the request


def test_the_client_of_a_trusted_proxy_is_the_one_named(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    log = AuthLog(AppendedLines(path), trusted=TrustedProxies.parse("127.0.0.1", "here"))
    headers = [(b"x-forwarded-for", b"203.0.113.7"), (b"authorization", b"Bearer no")]
    log.answered({"client": ("127.0.0.1", 1), "headers": headers, "method": "GET"}, 401)

    assert lines(path)[0].endswith("token_refused client=203.0.113.7")


@pytest.mark.parametrize(
    ("client", "told"),
    [
        ("2001:db8::1", "client=2001:db8::1 network=2001:db8::/64"),
        ("2001:db8:0:1:2:3:4:5", "client=2001:db8:0:1:2:3:4:5 network=2001:db8:0:1::/64"),
        ("::ffff:203.0.113.7", "client=203.0.113.7"),
    ],
)
def test_who_has_an_ipv6_address_is_told_with_their_network(
    tmp_path: Path, client: str, told: str
) -> None:
    path = tmp_path / "auth.log"
    log = AuthLog(AppendedLines(path), clock=lambda: NOON)
    headers = [(b"authorization", b"Bearer no")]
    log.answered({"client": (client, 1), "headers": headers, "method": "GET"}, 401)

    assert lines(path) == [f"{WHEN} token_refused {told}"]


@pytest.mark.parametrize("target", ["/api/v2/sign_in\n", "/api/v2/reset_password\n", "/docs\r"])
def test_a_path_with_a_control_character_leads_nowhere(tmp_path: Path, target: str) -> None:
    """A route would take a line feed at the end for nothing, and the log would not know it."""
    assert asked(tmp_path / "auth.log", target, key=None, method="POST") == 404
