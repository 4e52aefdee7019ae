"""The processes that came of one, and where they listen, as the kernel tells (proc(5))."""

import os
import re
import select
import socket
import time
from collections.abc import Iterable
from pathlib import Path

_LISTEN = "0A"  # include/net/tcp_states.h


def came_of(process: int) -> list[int]:
    """Return the process and all its descendants that live."""
    found = [process]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text("ascii").split())
    return found


def command(process: int) -> str:
    """Return how the process calls itself; empty where it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def ended(processes: Iterable[int], *, seconds: float) -> bool:
    """Wait until all of them have ended, whoever their parent is; whether they have in time."""
    waiting = select.poll()
    left: set[int] = set()
    for process in processes:
        try:
            left.add(descriptor := os.pidfd_open(process))
        except ProcessLookupError:
            continue
        waiting.register(descriptor, select.POLLIN)
    end = time.monotonic() + seconds
    while left and (happened := waiting.poll(max(0.0, end - time.monotonic()) * 1000)):
        for descriptor, _ in happened:
            waiting.unregister(descriptor)
            os.close(descriptor)
            left.discard(descriptor)
    for descriptor in left:
        os.close(descriptor)
    return not left


def listening(processes: Iterable[int]) -> set[tuple[str, int]]:
    """Return the addresses and ports at which they accept connections."""
    sockets = {
        match[1]
        for process in processes
        for link in Path(f"/proc/{process}/fd").iterdir()
        if (match := re.match(r"socket:\[(\d+)\]", _target(link)))
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in sockets:
                address, _, port = fields[1].partition(":")
                found.add((_readable(address), int(port, 16)))
    return found


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def _readable(address: str) -> str:
    """Words of 32 bits, each in the machine's own order."""
    octets = bytes.fromhex(address)
    words = [octets[at : at + 4][::-1] for at in range(0, len(octets), 4)]
    kind = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    return socket.inet_ntop(kind, b"".join(words))
