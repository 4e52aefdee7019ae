"""The gateway's speed, all in one run on two cores, as ratios: what stands between costs what?

    python benchmarks/gateway.py                  # a few minutes
    python benchmarks/gateway.py --short          # 30 seconds, to see that it runs
    python benchmarks/gateway.py --llama          # and SmolLM2, through it and bare
    python benchmarks/gateway.py --soak 20        # and its memory under load, for 20 minutes

Peers, backend, payload and load are the programs in ``benchmarks/gateway/``; nginx is
Debian's (``apt-get install nginx``). Rounds are interleaved: one of each peer, then again.
The gateway has its features: accounts in a real PostgreSQL, limits, usage, metrics.
Exits with 1 where a limit is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gateway import latency, llama, soak, speed
from gateway.figures import Report
from gateway.payload import KEY, MODEL
from gateway.servers import Model, Server, gateway, nginx, nginx_path, program

from albert.api.database.engine import Database
from albert.serving.embedded_postgres import EmbeddedPostgres
from albert.testing.services import enrol


@dataclass(frozen=True)
class Given:
    rounds: int
    seconds: float
    llama: bool
    soak: float
    only: frozenset[str]


PARTS = ("speed", "latency", "streams", "start")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=8)
    arguments.add_argument("--seconds", type=float, default=2.0, help="of a round of one peer")
    arguments.add_argument("--short", action="store_true", help="3 rounds of 0.5 s")
    arguments.add_argument("--llama", action="store_true")
    arguments.add_argument("--soak", type=float, metavar="MINUTES", default=0.0)
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    said = arguments.parse_args()
    rounds, seconds = (3, 0.5) if said.short else (said.rounds, said.seconds)
    given = Given(rounds, seconds, said.llama, said.soak, frozenset(said.only))
    report = Report()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres", durable=True) as postgres,
        ExitStack() as stack,
    ):
        measure(given, report, postgres.uri, Path(folder), stack)
    print(f"{len(report.broken)} limits not kept{''.join(f'; {name}' for name in report.broken)}")
    sys.exit(bool(report.broken))


def measure(given: Given, report: Report, uri: str, folder: Path, stack: ExitStack) -> None:
    key = asyncio.run(token(uri))
    backend = stack.enter_context(program("backend"))
    models: dict[str, Model] = {
        MODEL: {"base_url": f"{backend.address}/v1", "model": MODEL, "key": KEY}
    }
    ours = stack.enter_context(gateway(uri, models, folder / "gateway"))
    if "speed" in given.only:
        peers = others(backend, folder, stack)
        speed.requests(report, ours, key, peers, given.rounds, given.seconds)
    if "latency" in given.only:
        latency.added(report, ours, key, backend, given.rounds, given.seconds)
    if "streams" in given.only:
        order = {"postgres": uri, "models": models, "guarded": MODEL}
        guarded = stack.enter_context(program("ours", order=order))
        speed.streams(report, ours, guarded, key, given.rounds, given.seconds)
    if "start" in given.only:
        soak.cold_start(report, uri, models, folder / "start", given.rounds)
    if given.llama:
        llama.through(report, uri, key, folder)
    if given.soak:
        soak.under_load(report, ours, key, given.soak)


def others(backend: Server, folder: Path, stack: ExitStack) -> dict[str, Server]:
    peers = {
        "bare": stack.enter_context(program("bare", backend.address)),
        "fastapi": stack.enter_context(program("fastapi_httpx", backend.address)),
    }
    if nginx_path() is None:
        print("nginx is not installed, its ratio is left out: apt-get install nginx")
    else:
        peers["nginx"] = stack.enter_context(nginx(backend.address, folder))
    return peers


async def token(uri: str) -> str:
    database = Database(uri)
    await database.open()
    made = await enrol(database, "mesure")
    await database.close()
    return made


if __name__ == "__main__":
    main()
