"""Telling systemd that a service answers, and still does: sd_notify(3), to the socket it names."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from albert.settings import environment

_log = logging.getLogger(__name__)

_SEND_SECONDS = 1.0
"""At most: our event loop waits for it."""


def announced(ready: Callable[[str], None]) -> Callable[[str], None]:
    """Return ``ready``, followed by the word that a unit of ``Type=notify`` waits for.

    ``systemctl restart`` then returns once connections are accepted: the next worker
    can be restarted, and nobody was refused. Where the unit has a ``WatchdogSec=``, the
    event loop then says twice in that time that it turns: systemd kills one that is frozen.
    """

    def announce(address: str) -> None:
        ready(address)
        notify("READY=1")
        if (period := environment().get("WATCHDOG_USEC", "")).isdecimal():
            _beat(asyncio.get_running_loop(), int(period) / 2e6)

    return announce


def _beat(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    notify("WATCHDOG=1")
    loop.call_later(seconds, _beat, loop, seconds)


def notify(state: str) -> None:
    """Tell ``state``; where nobody listens, nothing happens."""
    place = environment().get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    name = f"\0{place[1:]}" if place.startswith("@") else place  # "@" stands for the abstract space
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as teller:
            teller.settimeout(_SEND_SECONDS)
            teller.connect(name)
            teller.sendall(state.encode())
    except OSError as error:  # systemd then stops us when its patience ends: its journal needs why
        _log.error("systemd was not told %s: %s", state, error, extra={"action": "notify_failed"})
