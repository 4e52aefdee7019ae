"""Laws of the index: filters, the cache of vectors, analysis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from albert.domain.documents import AUDIENCES, Chunk, Section, Sheet, SheetId, SourceName
from albert.index.analysis import fold, terms
from albert.index.build import build
from albert.index.builds import current, path_of
from albert.index.contract import Filter
from albert.index.engines.embedded import EmbeddedEngine
from albert.index.vector_cache import CachedVectors, CacheWriter
from albert.index.vectors import Matrix

SOURCES = [SourceName("service-public"), SourceName("travail-emploi")]
SHEETS = [SheetId(f"F{n}") for n in range(8)]
SUBSETS = [some for size in range(4) for some in combinations(AUDIENCES, size)]
CHUNKS = [
    Chunk(sheet=sheet, source=source, title="Impôt", url="", text=f"{n}", audiences=to, copy=copy)
    for source in SOURCES
    for n, sheet in enumerate(SHEETS)
    for copy, to in enumerate((SUBSETS[n], SUBSETS[(3 * n + 1) % 8]))
]
ONE = np.array([1, 0], np.float32)

filters = st.builds(
    Filter,
    sources=st.frozensets(st.sampled_from([*SOURCES, SourceName("elsewhere")])),
    audiences=st.frozensets(st.sampled_from(AUDIENCES)),
    sheets=st.frozensets(st.sampled_from(SHEETS)),
    without_sheets=st.frozensets(st.sampled_from(SHEETS), max_size=3),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedEngine:
    folder = tmp_path_factory.mktemp("index")
    sheets = [
        Sheet(id=sheet, source=source, title="Impôt", url="", sections=(Section(text="x"),))
        for source in SOURCES
        for sheet in SHEETS
    ]
    build(CHUNKS, sheets, folder, model="m", dimension=2)
    path = path_of(folder, current(folder) or "")
    for matrix in (
        Matrix(path, "passages", 2, writable=True),
        Matrix(path, "sheets", 2, writable=True),
    ):
        matrix.put(np.arange(len(matrix.keys)), np.tile(ONE, (len(matrix.keys), 1)))
    return EmbeddedEngine(folder, model="m", dimension=2)


@settings(max_examples=60)
@given(filters)
def test_a_filter_of_the_engine_means_what_admits_means(
    engine: EmbeddedEngine, where: Filter
) -> None:
    admitted = [chunk for chunk in CHUNKS if where.admits(chunk)]
    expected = sorted(chunk.id for chunk in admitted)
    first: dict[str, str] = {}
    for chunk in admitted:
        first.setdefault(f"{chunk.source}/{chunk.sheet}", chunk.id)
    assert sorted(m.chunk for m in engine.rank_words("impôt", 99, where)) == expected
    assert [m.chunk for m in engine.rank_vectors(ONE, "passages", 99, where)] == expected
    assert {m.sheet: m.chunk for m in engine.rank_vectors(ONE, "sheets", 99, where)} == first


@settings(max_examples=40)
@given(filters, st.integers(0, 40))
def test_a_shorter_list_is_the_beginning_of_a_longer_one(
    engine: EmbeddedEngine, where: Filter, limit: int
) -> None:
    whole = engine.rank_words("impôt 3", 99, where)
    assert engine.rank_words("impôt 3", limit, where) == whole[:limit]
    near = engine.rank_vectors(ONE, "sheets", 99, where)
    assert engine.rank_vectors(ONE, "sheets", limit, where) == near[:limit]


def rows(numbers: Sequence[int]) -> tuple[list[bytes], np.ndarray]:
    keys = [n.to_bytes(16, "big") for n in numbers]
    return keys, np.array([[n, -n, 0.5] for n in numbers], np.float32).reshape(len(keys), 3)


RECORD = 16 + 3 * 2 + 4


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 5 * RECORD))
def test_a_cache_cut_at_any_byte_keeps_its_whole_records(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cache"
    path.unlink(missing_ok=True)
    first = CacheWriter(path, 3)
    first.append(*rows(range(5)))
    first.close()
    path.write_bytes(path.read_bytes()[:cut])

    again = CacheWriter(path, 3)
    again.append(*rows([9]))
    again.close()

    cached = CachedVectors(path, 3)
    whole = cut // RECORD
    keys, vectors = rows([*range(5), 9])
    found = [cached.find(key) >= 0 for key in keys]
    assert found == [True] * whole + [False] * (5 - whole) + [True]
    for key, vector in zip(keys, vectors, strict=True):
        if (place := cached.find(key)) >= 0:
            assert cached.rows[place].tolist() == vector.tolist()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 3 * RECORD - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_loses_its_record_and_no_other(tmp_path: Path, place: int, bit: int) -> None:
    path = tmp_path / "cache"
    path.unlink(missing_ok=True)
    writer = CacheWriter(path, 3)
    keys, vectors = rows(range(3))
    writer.append(keys, vectors)
    writer.close()
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1 << bit
    path.write_bytes(raw)

    cached = CachedVectors(path, 3)
    assert [n for n, key in enumerate(keys) if cached.find(key) < 0] == [place // RECORD]


@given(used=st.sets(st.integers(0, 9)), held=st.integers(0, 10))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_compaction_keeps_what_is_used_and_runs_past_one_half(
    tmp_path: Path, used: set[int], held: int
) -> None:
    path = tmp_path / "cache"
    path.unlink(missing_ok=True)
    writer = CacheWriter(path, 3)
    writer.append(*rows(range(held)))
    kept = {n for n in used if n < held}

    assert writer.compact(rows(sorted(used))[0]) == (2 * len(kept) < held)
    writer.append(*rows([11]))
    writer.close()

    cached = CachedVectors(path, 3)
    for n in {*kept, 11}:
        keys, vectors = rows([n])
        assert cached.rows[cached.find(keys[0])].tolist() == vectors[0].tolist()


FRENCH = st.text("abcdefgijlmnoprstuvxéèêëàâîïôùûüçœ", min_size=1, max_size=12)


@given(st.lists(FRENCH, max_size=8))
def test_accents_and_capitals_never_change_the_terms(words: list[str]) -> None:
    text = " ".join(words)
    assert terms(fold(text)) == terms(text) == terms(text.upper())


@given(st.text())
def test_any_text_has_terms_without_spaces(text: str) -> None:
    assert all(term and not term.isspace() and " " not in term for term in terms(text))
