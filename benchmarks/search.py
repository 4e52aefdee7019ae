"""Hybrid search with a filter, on one core, without the question's embedding.

    python benchmarks/search.py                      # 40,000 synthetic passages
    python benchmarks/search.py --passages 400000    # how cost grows
    python benchmarks/search.py --corpus FILE        # the corpus that albert built

One search is the best 50 by words, the best 50 passages and the best 50 sheets by
vector, all under a filter; "stretches", the sheets by words, are measured apart.
Vectors are random and of unit norm: an exact scan takes the same time whatever they
hold. Everything is written to a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from albert.corpus.store import CorpusStore
from albert.domain.documents import AUDIENCES, Chunk, Section, Sheet, SheetId, SourceName
from albert.index.build import build
from albert.index.builds import current, path_of
from albert.index.contract import Filter, Level
from albert.index.engines.embedded import EmbeddedEngine
from albert.index.vectors import Matrix

DIMENSION = 384
MODEL = "random"
A_SHEET = 12  # passages
Searches = tuple[Callable[[int], object], ...]
FILTERS = {
    "none": Filter(),
    "audience": Filter(audiences=frozenset({"particuliers"})),
    "source and 40 sheets out": Filter(
        sources=frozenset({SourceName("service-public")}),
        without_sheets=frozenset(SheetId(f"F{n}") for n in range(0, 4000, 100)),
    ),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--passages", type=int, default=40_000)
    arguments.add_argument("--searches", type=int, default=300)
    arguments.add_argument("--corpus", type=Path, help="a corpus made by « albert corpus build »")
    given = arguments.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        if given.corpus:
            store = CorpusStore(given.corpus)
            sheets, questions = list(store.sheets()), [s.title for s in store.sheets()]
            built = timed_build(store.chunks(), sheets, Path(folder))
        else:
            words = vocabulary(rng)
            sheets = synthetic(rng, words, given.passages)
            questions = [" ".join(draw(rng, words, 9)) for _ in range(500)]
            built = timed_build(cut(sheets), sheets, Path(folder))
        fill(Path(folder), rng)
        del sheets
        print(f"{built}; {megabytes(Path(folder))} MB on disk")
        measure(Path(folder), questions, rng, given.searches)


def timed_build(chunks: Iterable[Chunk], sheets: list[Sheet], folder: Path) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    report = build(chunks, sheets, folder, model=MODEL, dimension=DIMENSION)
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return (
        f"{report.chunks} passages of {report.sheets} sheets built "
        f"in {seconds:.1f} s (+{grown} MB at most)"
    )


def fill(folder: Path, rng: np.random.Generator) -> None:
    path = path_of(folder, current(folder) or "")
    levels: tuple[Level, ...] = ("passages", "sheets")
    for level in levels:
        matrix = Matrix(path, level, DIMENSION, writable=True)
        for rows in np.array_split(np.arange(len(matrix.keys)), 1 + len(matrix.keys) // 10_000):
            matrix.put(rows, unit(rng, len(rows)))


def measure(folder: Path, questions: list[str], rng: np.random.Generator, searches: int) -> None:
    engine = EmbeddedEngine(folder, model=MODEL, dimension=DIMENSION)
    vectors = unit(rng, searches)
    asked = [questions[n] for n in rng.integers(0, len(questions), searches)]
    for name, where in FILTERS.items():

        def words(n: int, where: Filter = where) -> object:
            return engine.rank_words(asked[n], 50, where)

        def stretches(n: int, where: Filter = where) -> object:
            return engine.rank_words(asked[n], 50, where, "sheets")

        def passages(n: int, where: Filter = where) -> object:
            return engine.rank_vectors(vectors[n], "passages", 50, where)

        def by_sheet(n: int, where: Filter = where) -> object:
            return engine.rank_vectors(vectors[n], "sheets", 50, where)

        def hybrid(n: int, parts: Searches = (words, passages, by_sheet)) -> object:
            return [part(n) for part in parts]

        for search in (words, stretches, passages, by_sheet, hybrid):
            print(f"{name:>26} {search.__name__:>10} {quantiles(search, searches)}")
    print(f"RSS {rss()} MB, of which files that are mapped {rss('RssFile')} MB")


def quantiles(search: Callable[[int], object], searches: int) -> str:
    for n in range(5):
        search(n)
    times = []
    for n in range(searches):
        start = time.perf_counter()
        search(n)
        times.append(1000 * (time.perf_counter() - start))
    p50, p95 = np.quantile(times, [0.5, 0.95])
    return f"p50 {p50:6.2f} ms   p95 {p95:6.2f} ms"


def vocabulary(rng: np.random.Generator) -> np.ndarray:
    """40,000 words of 4 to 12 letters."""
    letters = rng.choice(list("aeiourstlnmdpcvb"), (40_000, 12))
    lengths = rng.integers(4, 13, 40_000)
    return np.array(["".join(row[:n]) for row, n in zip(letters, lengths, strict=True)])


def draw(rng: np.random.Generator, words: np.ndarray, count: int) -> list[str]:
    """Words as frequent as in a language: by Zipf's law."""
    ranks = rng.zipf(1.15, 3 * count)
    return [str(word) for word in words[ranks[ranks < len(words)][:count]]]


def synthetic(rng: np.random.Generator, words: np.ndarray, passages: int) -> list[Sheet]:
    source = SourceName("service-public")
    return [
        Sheet(
            id=SheetId(f"F{n}"),
            source=source if n % 10 else SourceName("travail-emploi"),
            title=" ".join(draw(rng, words, 6)),
            url="",
            audiences=(AUDIENCES[int(n) % 3],),
            sections=tuple(
                Section(headings=(f"partie {k}",), text=" ".join(draw(rng, words, 70)))
                for k in range(A_SHEET)
            ),
        )
        for n in range(passages // A_SHEET)
    ]


def cut(sheets: Iterable[Sheet]) -> Iterable[Chunk]:
    for sheet in sheets:
        for number, section in enumerate(sheet.sections):
            yield Chunk(
                sheet=sheet.id,
                source=sheet.source,
                title=sheet.title,
                url="",
                text=section.text,
                headings=section.headings,
                audiences=sheet.audiences,
                section=number,
            )


def unit(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.standard_normal((count, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def megabytes(folder: Path) -> int:
    return sum(512 * p.stat().st_blocks for p in folder.rglob("*")) >> 20


def rss(kind: str = "VmRSS") -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) >> 10


if __name__ == "__main__":
    main()
