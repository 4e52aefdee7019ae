"""From downloaded data to the corpus: read, cut and stored, on every core."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from albert.corpus.chunking import chunk_sheet, estimate
from albert.corpus.contract import SheetSource, Skipped
from albert.corpus.report import BuildReport, SourceReport
from albert.corpus.sources.directory import Directory
from albert.corpus.sources.experiences import Experiences
from albert.corpus.sources.france_services import FranceServices
from albert.corpus.sources.service_public import ServicePublic, read_sheet
from albert.corpus.sources.travail_emploi import TravailEmploi
from albert.corpus.store import FORMAT, CorpusWriter, Row, row
from albert.domain.documents import Institution, Sheet
from albert.domain.errors import CorpusMissing
from albert.domain.folders import alone, room

READERS = 5
"""Changes when the readers or the cutting change what they make of the same data."""
_BATCH = 48

Progress = Callable[[str, int, int], None]
"""Told the source, how many of its files or sheets are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The data of one source on disk, and a word for the version of it (from its manifest)."""

    source: str
    data: Path
    version: str
    origin: str = ""


def fingerprint(inputs: Sequence[Inputs], tokens: int) -> str:
    """Return what decides the corpus: the same words, the same sheets, ids and passages."""
    parts = [f"{one.source}={one.version}" for one in sorted(inputs, key=lambda i: i.source)]
    text = "\n".join([f"format={FORMAT} readers={READERS} tokens={tokens}", *parts])
    return hashlib.sha256(text.encode()).hexdigest()


def build(
    inputs: Sequence[Inputs], path: Path, *, tokens: int, workers: int, progress: Progress
) -> BuildReport:
    """Read all the data and swap the corpus in; what was there stays until then.

    A malformed file is passed over, named in the report and counted.

    Raises:
        CorpusMissing: there is no sheet at all.
        HomeBusy: another process is building it.
        CorpusError, DiskFull
    """
    report = BuildReport()
    with room(), alone(path.with_suffix(".lock")), CorpusWriter(path) as writer:
        for one in inputs:
            source = SourceReport(one.source, origin=one.origin)
            report.sources.append(source)
            if one.source == "service-public":
                _add_publications(one, writer, source, tokens, workers, progress)
            elif one.source in _DIRECTORIES:
                writer.add_institutions(_institutions(one, source))
            else:
                _add_sheets(_READERS[one.source](one.data), writer, source, tokens, progress)
        if not report.sheets:
            raise CorpusMissing
        writer.commit(report, inputs=fingerprint(inputs, tokens))
    return report


_READERS: dict[str, Callable[[Path], SheetSource]] = {
    "travail-emploi": TravailEmploi,
    "experiences": Experiences,
}
_DIRECTORIES: dict[str, Callable[[Path], Directory | FranceServices]] = {
    "directory": Directory,
    "france-services": FranceServices,
}


def _institutions(one: Inputs, report: SourceReport) -> Iterator[Institution]:
    for read in _DIRECTORIES[one.source](one.data).read():
        if isinstance(read, Skipped):
            report.pass_over(read)
        else:
            report.institutions += 1
            yield read


def _add_sheets(
    reader: SheetSource, writer: CorpusWriter, report: SourceReport, tokens: int, progress: Progress
) -> None:
    for number, read in enumerate(reader.read(), start=1):
        writer.add(_cut([read], report, tokens))
        progress(report.source, number, number)


def _add_publications(
    one: Inputs,
    writer: CorpusWriter,
    report: SourceReport,
    tokens: int,
    workers: int,
    progress: Progress,
) -> None:
    """Read the thousands of small files in parallel, and write them in their order."""
    files = list(ServicePublic(one.data).files().values())
    total, done = sum(map(len, files)), 0
    batches = list(_batched(files, _BATCH))
    # spawn: a fork would carry the locks of whatever threads the caller runs. Trees hold no
    # cycle, and looking for some among a million nodes costs a fifth of the reading.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=gc.disable
    ) as pool:
        work = pool.map(read_batch, batches, [tokens] * len(batches))
        for batch, (rows, part) in zip(batches, work, strict=True):
            writer.add(rows)
            report.merge(part)
            done += sum(map(len, batch))
            progress(report.source, done, total)


def read_batch(batch: Sequence[Sequence[Path]], tokens: int) -> tuple[list[Row], SourceReport]:
    """Read and cut some sheets, each given by the files of its editions."""
    report = SourceReport("service-public")
    rows = [row for paths in batch for row in _cut(read_sheet(paths), report, tokens)]
    return rows, report


def _cut(read: Iterable[Sheet | Skipped], report: SourceReport, tokens: int) -> Iterator[Row]:
    for one in read:
        if isinstance(one, Skipped):
            report.pass_over(one)
            continue
        chunks = chunk_sheet(one, tokens=tokens)
        report.count(one, len(chunks))
        report.over += sum(
            len(c.text) > 2 * tokens and estimate(c.passage) > tokens for c in chunks
        )
        yield row(one, chunks)


def _batched(items: Sequence[list[Path]], size: int) -> Iterator[list[list[Path]]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
