"""What systemd is told, and when."""

import asyncio
import socket
from pathlib import Path

import pytest

from albert.cli.readiness import announced


def heard(listener: socket.socket) -> bytes:
    listener.settimeout(5)
    return listener.recv(64)


def test_systemd_is_told_once_the_service_has_said_that_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "notify")
    said: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(place)
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        announced(said.append)("http://127.0.0.1:8090")
        assert (said, heard(listener)) == (["http://127.0.0.1:8090"], b"READY=1")


def test_an_abstract_socket_is_a_socket_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")  # the kernel draws an abstract name
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + listener.getsockname()[1:].decode())
        announced(lambda _: None)("")
        assert heard(listener) == b"READY=1"


def test_a_loop_that_turns_says_so_until_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(listener: socket.socket) -> list[bytes]:
        announced(lambda _: None)("")
        return [await asyncio.to_thread(heard, listener) for _ in range(3)]

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        assert asyncio.run(serve(listener)) == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]


def test_without_systemd_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    said: list[str] = []
    announced(said.append)("x")
    assert (said, caplog.text) == (["x"], "")


def test_a_systemd_that_has_gone_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    announced(lambda _: None)("x")
    assert "systemd was not told READY=1" in caplog.text
