"""What this process uses, under the names that Prometheus's own clients give it (proc(5))."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from albert import __version__
from albert.api.metrics import catalogue
from albert.api.metrics.families import sample

_SELF = Path("/proc/self")


def write() -> Iterator[str]:
    """Yield the text of the process's families; without ``/proc``, of the version alone."""
    yield catalogue.BUILD.header()
    yield sample(catalogue.BUILD.name, (("version", __version__),), 1)
    if not (_SELF / "statm").exists():
        return
    fields = (_SELF / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    pages = int((_SELF / "statm").read_text("ascii").split()[1])
    values = {
        catalogue.MEMORY: pages * os.sysconf("SC_PAGE_SIZE"),
        catalogue.PROCESSOR: (int(fields[11]) + int(fields[12])) / ticks,
        catalogue.STARTED: _boot() + int(fields[19]) / ticks,
        catalogue.FILES: sum(1 for _ in (_SELF / "fd").iterdir()),
    }
    for family, value in values.items():
        yield family.header()
        yield sample(family.name, (), value)


def _boot() -> float:
    """Return when the machine started, in seconds since 1970."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
