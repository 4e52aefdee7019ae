"""Figures of a run: ratios of interleaved rounds, what a process used, what is kept or not."""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_DRAWS = 2000


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def lower_end(ratios: Sequence[float]) -> float:
    """Return the 2.5 % quantile of the median of ``ratios``, drawn again and again."""
    draw = random.Random(1)
    drawn = [median(draw.choices(ratios, k=len(ratios))) for _ in range(_DRAWS)]
    return quantile(drawn, 0.025)


def cpu_seconds(process: int) -> float:
    """Return what a process has used, its threads included (proc(5))."""
    text = Path(f"/proc/{process}/stat").read_text()
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> float:
    """Return what a process has in memory, in MB (proc(5))."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass
class Report:
    """Prints each figure beside what is wanted of it, and remembers what was not kept."""

    broken: list[str] = field(default_factory=list)

    def figure(self, name: str, value: float, wanted: float, *, most: bool = False) -> None:
        kept = value <= wanted if most else value >= wanted
        sign = "<=" if most else ">="
        print(
            f"  {'kept  ' if kept else 'BROKEN'} {name}: {value:.3g} (wanted {sign} {wanted:g})",
            flush=True,
        )
        if not kept:
            self.broken.append(name)
