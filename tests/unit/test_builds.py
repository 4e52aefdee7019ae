"""Builds on disk: swapped whole, refused when they do not fit, followed by readers."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from albert.domain.documents import Chunk, Section, Sheet, SheetId, SourceName
from albert.domain.errors import DiskFull, HomeBusy, IndexIncompatible, IndexNotFound
from albert.index.build import build
from albert.index.builds import current, installed, path_of, writing
from albert.index.engines.embedded import EmbeddedEngine

SOURCE = SourceName("service-public")


def a_chunk(word: str) -> Chunk:
    return Chunk(sheet=SheetId("F1"), source=SOURCE, title="Fiche", url="", text=word)


SHEET = Sheet(id=SheetId("F1"), source=SOURCE, title="Fiche", url="", sections=(Section(text="x"),))


def index(folder: Path, *words: str) -> None:
    build([a_chunk(word) for word in words], [SHEET], folder, model="m", dimension=2)


def opened(folder: Path, seconds: list[float] | None = None) -> EmbeddedEngine:
    now = seconds or [0.0]
    return EmbeddedEngine(folder, model="m", dimension=2, clock=lambda: now[0])


def test_before_the_first_build_there_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        opened(tmp_path).coverage()
    assert installed(tmp_path) is None


def test_a_first_build_is_found_by_an_engine_that_had_none(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    with pytest.raises(IndexNotFound):
        engine.rank_words("impôt", 5)
    index(tmp_path, "impôt")
    assert len(engine.rank_words("impôt", 5)) == 1


def test_a_running_engine_moves_to_a_new_build_within_a_second(tmp_path: Path) -> None:
    seconds = [0.0]
    index(tmp_path, "impôt")
    engine = opened(tmp_path, seconds)
    assert engine.coverage().chunks == 1
    index(tmp_path, "impôt", "retraite")
    assert engine.rank_words("impôt", 5)  # the old build is gone, and still answers
    seconds[0] = 1.0
    assert engine.coverage().chunks == 2


def test_only_the_current_build_stays_on_disk(tmp_path: Path) -> None:
    index(tmp_path, "impôt")
    (tmp_path / "builds" / "cut-short").mkdir()
    index(tmp_path, "retraite")
    assert [p.name for p in (tmp_path / "builds").iterdir()] == [current(tmp_path)]


def test_an_empty_corpus_gives_an_index_without_matches(tmp_path: Path) -> None:
    index(tmp_path)
    assert opened(tmp_path).rank_words("impôt", 5) == []
    assert opened(tmp_path).coverage().chunks == 0


def test_an_index_of_another_model_is_refused_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    index(tmp_path, "impôt")
    engine = EmbeddedEngine(tmp_path, model="other", dimension=2)
    with pytest.raises(IndexIncompatible, match="« albert index build »"):
        engine.coverage()


def test_an_index_of_another_format_is_refused_and_built_over(tmp_path: Path) -> None:
    index(tmp_path, "impôt")
    metadata = path_of(tmp_path, current(tmp_path) or "") / "metadata.json"
    metadata.write_text(json.dumps({"format": 99}))
    with pytest.raises(IndexIncompatible, match="« albert index build »"):
        opened(tmp_path).coverage()
    index(tmp_path, "impôt")
    assert opened(tmp_path).coverage().chunks == 1


def test_one_process_builds_at_a_time(tmp_path: Path) -> None:
    with writing(tmp_path / "lock"), pytest.raises(HomeBusy):
        index(tmp_path, "impôt")


def test_a_full_disk_leaves_the_last_good_index(tmp_path: Path) -> None:
    index(tmp_path, "impôt")

    def chunks() -> Iterator[Chunk]:
        yield a_chunk("retraite")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull):
        build(chunks(), [SHEET], tmp_path, model="m", dimension=2)
    assert len(opened(tmp_path).rank_words("impôt", 5)) == 1


def test_a_fingerprint_is_kept_with_the_build(tmp_path: Path) -> None:
    build([], [], tmp_path, model="m", dimension=2, fingerprint="abc")
    metadata = installed(tmp_path)
    assert metadata is not None
    assert metadata.fingerprint == "abc"
