"""Builds an index aside and swaps it in whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from albert.domain.documents import Chunk, Sheet
from albert.index.builds import FORMAT, Metadata, path_of, prune, swap, write_metadata, writing
from albert.index.contract import Level
from albert.index.payload import PayloadWriter, SheetKey
from albert.index.sheet_text import sheet_text
from albert.index.vector_cache import CachedVectors, Key, cache_path
from albert.index.vectors import Matrix, vector_key
from albert.index.windows import WindowsWriter
from albert.index.words import WordsWriter

Progress = Callable[[int], None]
"""Called with the number of chunks indexed so far."""

_STEP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """``passages_embedded`` and ``sheets_embedded`` were found in the cache of vectors."""

    build: str
    chunks: int
    sheets: int
    passages_embedded: int
    sheets_embedded: int


def build(
    chunks: Iterable[Chunk],
    sheets: Iterable[Sheet],
    folder: Path,
    *,
    model: str,
    dimension: int,
    fingerprint: str = "",
    progress: Progress = lambda done: None,
) -> BuildReport:
    """Index ``chunks``, put what is already embedded in place, and make it what is searched.

    ``chunks`` is read once and never held; ``sheets`` has at least the sheet of
    each, and those without chunks do not count. ``fingerprint`` is the caller's
    name for this very corpus, kept with the build so that the next one can be
    spared. Killed at any moment, the index that was there before is still there.

    Raises:
        HomeBusy, DiskFull
    """
    with writing(folder / "lock"):
        prune(folder)
        try:
            texts = {SheetKey(sheet.source, sheet.id): sheet_text(sheet) for sheet in sheets}
            report = _write(chunks, texts, folder, model, dimension, fingerprint, progress)
            swap(folder, report.build)
        finally:
            prune(folder)  # what was replaced; or, after a failure, what was begun
    return report


def _write(
    chunks: Iterable[Chunk],
    texts: dict[SheetKey, str],
    folder: Path,
    model: str,
    dimension: int,
    fingerprint: str,
    progress: Progress,
) -> BuildReport:
    started = datetime.now(UTC)
    name = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    path = path_of(folder, name)
    path.mkdir(parents=True)
    passage_keys, sheet_keys = _write_chunks(chunks, texts, path, model, progress)
    cached = CachedVectors(cache_path(folder, model, dimension), dimension)
    report = BuildReport(
        build=name,
        chunks=len(passage_keys),
        sheets=len(sheet_keys),
        passages_embedded=_write_matrix(path, "passages", dimension, passage_keys, cached),
        sheets_embedded=_write_matrix(path, "sheets", dimension, sheet_keys, cached),
    )
    metadata = Metadata(
        format=FORMAT,
        model=model,
        dimension=dimension,
        chunks=report.chunks,
        sheets=report.sheets,
        fingerprint=fingerprint,
        created=started.isoformat(timespec="seconds"),
    )
    write_metadata(path, metadata)
    return report


def _write_chunks(
    chunks: Iterable[Chunk], texts: dict[SheetKey, str], path: Path, model: str, progress: Progress
) -> tuple[list[Key], list[Key]]:
    """Write all but the vectors; return the names of the passages' vectors, and of the sheets'."""
    words, windows = WordsWriter(path / "words"), WindowsWriter(path / "windows")
    keys: list[Key] = []
    with PayloadWriter(path / "payload") as payload:
        for chunk in chunks:
            row = payload.add(chunk)
            if row is None:
                continue
            windows.add(payload.sheet, words.add(row, chunk))
            keys.append(vector_key(model, chunk.passage))
            if not len(keys) % _STEP:
                progress(len(keys))
        kept = [texts[key] for key in payload.finish()]
    words.finish()
    windows.finish()
    (path / "sheet_texts.json").write_bytes(orjson.dumps(kept))
    progress(len(keys))
    return keys, [vector_key(model, text) for text in kept]


def _write_matrix(
    path: Path, level: Level, dimension: int, keys: list[Key], cached: CachedVectors
) -> int:
    Matrix.create(path, level, dimension, keys)
    matrix = Matrix(path, level, dimension, writable=True)
    return matrix.fill(cached)
