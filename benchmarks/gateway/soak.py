"""How soon the API answers once started, and its memory under load."""

from __future__ import annotations

import time
from pathlib import Path

from gateway import latency
from gateway.figures import Report, median, memory
from gateway.load import target
from gateway.payload import asked
from gateway.servers import Model, Server, gateway

MOST_MB = 120
FLAT = 1.05
"""How many times its memory after a tenth of the time the worker may have at the end."""
RATE = 200.0
_STEP = 10.0


def cold_start(
    report: Report, uri: str, models: dict[str, Model], folder: Path, rounds: int
) -> None:
    """Time from the program's start to its address: opened, migrated, listening."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        with gateway(uri, models, folder):
            times.append(time.perf_counter() - start)
    report.figure("cold start, s", median(times), 1.5, most=True)


def under_load(report: Report, ours: Server, key: str, minutes: float) -> None:
    bodies = [asked(), asked(events=50)]
    seen: list[float] = []
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        for body in bodies:
            seconds = min(_STEP, max(1.0, end - time.monotonic())) / len(bodies)
            latency.run(target(ours.address, body, key=key), seconds, RATE)
        seen.append(memory(ours.pid))
    warm = seen[len(seen) // 10]
    print(
        f"memory over {minutes:g} minutes at {RATE:g} requests/s: {seen[0]:.0f} MB, "
        f"{warm:.0f} warm, {max(seen):.0f} at most, {seen[-1]:.0f} at the end"
    )
    report.figure("memory of a worker, MB", max(seen), MOST_MB, most=True)
    report.figure("memory at the end, times warm", seen[-1] / warm, FLAT, most=True)
