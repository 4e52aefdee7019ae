"""The authentication log: one line for each refusal, for those who watch for guessing.

``2026-11-29T16:14:03+0000 sign_in_refused client=203.0.113.7``: when, what, from where. Never
whose name, password or token. Who has an IPv6 address has 2^64 of them, to take one after the
other: their network is told too. ``contrib/fail2ban`` reads it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from ipaddress import IPv6Network
from pathlib import Path

from starlette.types import Message, Scope, Send

from albert.asgi.client import TrustedProxies
from albert.asgi.exchange import header, path_of
from albert.domain.errors import SettingInvalid
from albert.domain.mishaps import reason
from albert.settings import Settings, variable

_log = logging.getLogger(__name__)

_EVENTS: Mapping[tuple[str, int], str] = {
    ("/api/v2/sign_in", 400): "sign_in_refused",
    ("/api/v2/sign_in", 429): "sign_in_locked",
    ("/api/v2/reset_password", 400): "reset_refused",
}
"""What a refusal by these routes means."""


def auth_log(settings: Settings) -> AuthLog:
    """Open the log of the settings; where they name none, nothing is kept.

    Raises:
        SettingInvalid: it cannot be written, or the trusted proxies are ill-formed.
    """
    trusted = TrustedProxies.parse(settings.trusted_proxies, variable("trusted_proxies"))
    if not settings.auth_log:
        return AuthLog(trusted=trusted)
    path = Path(settings.auth_log).expanduser().absolute()
    file = AppendedLines(path)
    try:
        file.check()
    except OSError as error:
        raise SettingInvalid(
            f"{variable('auth_log')} : {path} ne peut pas être écrit ({reason(error)}) ; créez "
            f"le dossier {path.parent} et donnez-le au compte qui lance Albert."
        ) from None
    return AuthLog(file, trusted=trusted)


class AuthLog:
    """Hears of every answer that is not a success; writes down those that refuse a caller."""

    def __init__(
        self,
        file: AppendedLines | None = None,
        *,
        trusted: TrustedProxies = TrustedProxies(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._trusted = trusted
        self._clock = clock

    def answered(self, scope: Scope, status: int) -> None:
        """Write a line if ``status`` refused a password, a reset link or a token."""
        if self._file is None:
            return
        event = _event(scope, status)
        if event:
            when = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(self._clock()))
            self._file.add(f"{when} {event} {_from(self._trusted.client(scope))}")

    def told(self, scope: Scope, send: Send) -> Send:
        """Return a ``send`` that tells of its answer: for routes that nobody hurries."""

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.answered(scope, message["status"])
            await send(message)

        return telling


def _event(scope: Scope, status: int) -> str:
    if status == 401:
        return "token_refused" if header(scope, b"authorization") else ""
    if status not in (400, 429) or scope["method"] != "POST":
        return ""
    return _EVENTS.get((path_of(scope).rstrip("/"), status), "")


def _from(client: str) -> str:
    if ":" not in client:
        return f"client={client}"
    return f"client={client} network={IPv6Network((client, 64), strict=False)}"


class AppendedLines:
    """A file of lines, opened for each: logrotate may move it at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Open it once, and make it if it is not there.

        Raises:
            OSError
        """
        os.close(self._open())

    def add(self, line: str) -> None:
        """Append a line, whole even where several processes write."""
        try:
            file = self._open()
            try:
                os.write(file, line.encode() + b"\n")
            finally:
                os.close(file)
        except OSError as error:  # a full disk must not refuse those who have the right password
            _log.warning("the authentication log cannot be written: %s", error.strerror)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
