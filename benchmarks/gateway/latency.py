"""What the gateway adds to an answer's time, at a pace that does not depend on it."""

from __future__ import annotations

import asyncio
import selectors

from gateway.figures import Report, median, quantile
from gateway.load import Tally, Target, paced, target
from gateway.payload import asked
from gateway.servers import Server

RATE = 500.0


def added(
    report: Report, ours: Server, key: str, backend: Server, rounds: int, seconds: float
) -> None:
    through = target(ours.address, asked(), key=key)
    direct = target(backend.address, asked())
    run(through, 0.5)
    by_round = []
    for _ in range(rounds):
        bare, gateway = run(direct, seconds).times, run(through, seconds).times
        by_round.append(
            [1e3 * (quantile(gateway, part) - quantile(bare, part)) for part in (0.5, 0.99)]
        )
    p50, p99 = (median([each[place] for each in by_round]) for place in (0, 1))
    print(f"added at {RATE:g} requests/s, {rounds} rounds of {seconds:g} s:")
    print("  p50, p99 of each round, ms: " + "  ".join(f"{a:.2f}, {b:.2f}" for a, b in by_round))
    report.figure("added latency, p50, ms", p50, 1, most=True)
    report.figure("added latency, p99, ms", p99, 5, most=True)


def run(where: Target, seconds: float, rate: float = RATE) -> Tally:
    with asyncio.Runner(loop_factory=fine_loop) as runner:
        tally = runner.run(paced(where, rate, seconds))
    if tally.refused:
        raise SystemExit(f"{len(tally.refused)} refused, such as {tally.refused[0]!r}")
    return tally


def fine_loop() -> asyncio.AbstractEventLoop:
    """A loop whose timers are in microseconds: epoll's, and uvloop's, are in milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
