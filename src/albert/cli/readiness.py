"""Telling systemd that a service answers: sd_notify(3), a datagram to the socket that it names."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from albert.settings import environment

_log = logging.getLogger(__name__)


def announced(ready: Callable[[str], None]) -> Callable[[str], None]:
    """Return ``ready``, followed by the word that a unit of ``Type=notify`` waits for.

    ``systemctl restart`` then returns once connections are accepted: the next worker
    can be restarted, and nobody was refused.
    """

    def announce(address: str) -> None:
        ready(address)
        notify("READY=1")

    return announce


def notify(state: str) -> None:
    """Tell ``state``; where nobody listens, nothing happens."""
    place = environment().get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    name = f"\0{place[1:]}" if place.startswith("@") else place  # "@" stands for the abstract space
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as teller:
            teller.connect(name)
            teller.sendall(state.encode())
    except OSError as error:  # systemd then stops us when its patience ends: its journal needs why
        _log.error("systemd was not told %s: %s", state, error, extra={"action": "notify_failed"})
