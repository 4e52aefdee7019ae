"""Requests a second against the peers, and events a second through streams."""

from __future__ import annotations

from dataclasses import dataclass, field

import uvloop

from gateway.figures import Report, cpu_seconds, lower_end, median
from gateway.load import Target, closed, target
from gateway.payload import asked
from gateway.servers import Server

CLIENTS = 32
EVENTS = 400
WANTED = {"bare": 0.6, "nginx": 0.12, "fastapi": 8.0}


@dataclass
class Rounds:
    """Of one server: what it did a second, and a second of its processor."""

    server: Server
    target: Target
    rates: list[float] = field(default_factory=list)
    each_cpu: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)
    """Events that came in one write, on average."""

    def run(self, seconds: float, *, of_events: bool = False) -> None:
        before = cpu_seconds(self.server.pid)
        tally, took = uvloop.run(closed(self.target, CLIENTS, seconds))
        spent = cpu_seconds(self.server.pid) - before
        if tally.refused:
            raise SystemExit(f"{len(tally.refused)} refused, such as {tally.refused[0]!r}")
        done = tally.events if of_events else tally.answers
        self.rates.append(done / took)
        self.each_cpu.append(done / max(spent, 0.01))
        self.busy.append(spent / took)
        self.joined.append(tally.events / max(1, tally.pieces))


def requests(
    report: Report,
    ours: Server,
    key: str,
    peers: dict[str, Server],
    rounds: int,
    seconds: float,
) -> None:
    body = asked()
    all_of = {"albert": Rounds(ours, target(ours.address, body, key=key))}
    all_of |= {name: Rounds(peer, target(peer.address, body)) for name, peer in peers.items()}
    for one in all_of.values():
        one.run(0.3)  # connections and caches of the first time
        for kept in (one.rates, one.each_cpu, one.busy, one.joined):
            kept.clear()
    for _ in range(rounds):
        for one in all_of.values():
            one.run(seconds)
    print(f"requests, {CLIENTS} clients, {rounds} rounds of {seconds:g} s each:")
    for name, one in all_of.items():
        print(
            f"  {name:>8}: {median(one.rates):8,.0f} requests/s, {median(one.each_cpu):8,.0f} a "
            f"second of its processor ({median(one.busy):.0%} of a core)"
        )
    for name in peers:
        _ratio(report, all_of["albert"], all_of[name], name)


def _ratio(report: Report, ours: Rounds, theirs: Rounds, name: str) -> None:
    ratios = [a / b for a, b in zip(ours.rates, theirs.rates, strict=True)]
    each_cpu = [a / b for a, b in zip(ours.each_cpu, theirs.each_cpu, strict=True)]
    print(
        f"  albert / {name}: {median(ratios):.3g} (lower end {lower_end(ratios):.3g}); "
        f"by second of processor {median(each_cpu):.3g} (lower end {lower_end(each_cpu):.3g})"
    )
    report.figure(f"requests/s against {name}, lower end", lower_end(ratios), WANTED[name])


def streams(
    report: Report, ours: Server, reading: Server, key: str, rounds: int, seconds: float
) -> None:
    """``reading`` answers from a sheet, so under the guard."""
    passed = Rounds(ours, target(ours.address, asked(events=EVENTS), key=key))
    body = asked(events=EVENTS, with_sheets=True)
    guarded = Rounds(reading, target(reading.address, body, key=key))
    for _ in range(rounds):
        passed.run(seconds, of_events=True)
        guarded.run(seconds, of_events=True)
    print(f"streams of {EVENTS} events, {CLIENTS} readers:")
    for name, one in (("passed on", passed), ("guarded", guarded)):
        print(
            f"  {name:>9}: {median(one.each_cpu):8,.0f} events a second of its processor, "
            f"{median(one.rates):8,.0f} events/s ({median(one.busy):.0%} of a core, "
            f"{median(one.joined):.1f} events a write)"
        )
    report.figure("events/s a core, passed on", median(passed.each_cpu), 40_000)
    report.figure("events/s a core, guarded", median(guarded.each_cpu), 20_000)
