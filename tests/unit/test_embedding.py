"""Embedding what is missing: in what order, once each, resumable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from albert.domain.documents import Audience, Chunk, Section, Sheet, SheetId, SourceName
from albert.domain.errors import HomeBusy, IndexIncompatible, IndexNotFound, ModelUnreachable
from albert.index.build import build
from albert.index.contract import Coverage
from albert.index.embedding import embed_missing
from albert.index.engines.embedded import EmbeddedEngine
from albert.index.sheet_text import sheet_text
from albert.index.vector_cache import cache_path, writer
from albert.inference.contract import Vectors

SOURCE = SourceName("service-public")


class CountingEmbedder:
    """Gives each text the same unit vector, and remembers what it was asked."""

    model = "counting"
    fingerprint = "counting/1"
    dimension = 2

    def __init__(self, *, fails_after: int = 1000) -> None:
        self.asked: list[str] = []
        self._left = fails_after

    def token_count(self, text: str) -> int:
        return len(text.split())

    async def embed(self, texts: Sequence[str], *, role: Literal["query", "document"]) -> Vectors:
        assert role == "document"
        self._left -= len(texts)
        if self._left < 0:
            raise ModelUnreachable
        self.asked += texts
        return np.tile(np.array([1, 0], np.float32), (len(texts), 1))


def a_sheet(name: str, texts: Sequence[str], audience: Audience) -> Sheet:
    sections = tuple(Section(text=text) for text in texts)
    return Sheet(
        id=SheetId(name),
        source=SOURCE,
        title=f"Fiche {name}",
        url="",
        audiences=(audience,),
        sections=sections,
    )


SHEETS = [a_sheet("F1", ["un", "deux"], "professionnels"), a_sheet("F2", ["trois"], "particuliers")]


def index(folder: Path, sheets: Sequence[Sheet] = SHEETS) -> None:
    chunks = [
        Chunk(
            sheet=sheet.id,
            source=SOURCE,
            title=sheet.title,
            url="",
            text=section.text,
            audiences=sheet.audiences,
        )
        for sheet in sheets
        for section in sheet.sections
    ]
    build(chunks, sheets, folder, model="counting", dimension=2)


def embed(
    folder: Path, embedder: CountingEmbedder, scope: Literal["sheets", "all"] = "all"
) -> Coverage:
    return asyncio.run(
        embed_missing(folder, embedder, model="counting", scope=scope, workers=1, batch=1)
    )


def test_sheets_come_first_and_those_of_particuliers_before_others(tmp_path: Path) -> None:
    index(tmp_path)
    embedder = CountingEmbedder()
    embed(tmp_path, embedder)
    sheets, passages = embedder.asked[:2], embedder.asked[2:]
    assert sheets == ["Fiche F2", "Fiche F1"]
    assert passages == ["Fiche F2\ntrois", "Fiche F1\nun", "Fiche F1\ndeux"]


def test_the_scope_of_sheets_leaves_passages_for_later(tmp_path: Path) -> None:
    index(tmp_path)
    found = embed(tmp_path, CountingEmbedder(), "sheets")
    assert (found.sheets_embedded, found.passages_embedded) == (2, 0)


def test_nothing_is_embedded_twice(tmp_path: Path) -> None:
    index(tmp_path)
    embed(tmp_path, CountingEmbedder())
    index(tmp_path)
    again = CountingEmbedder()
    assert embed(tmp_path, again) == Coverage(
        chunks=3, sheets=2, passages_embedded=3, sheets_embedded=2
    )
    assert again.asked == []


def test_a_changed_corpus_pays_for_what_changed(tmp_path: Path) -> None:
    index(tmp_path)
    embed(tmp_path, CountingEmbedder())
    index(tmp_path, [SHEETS[0], a_sheet("F2", ["trois", "quatre"], "particuliers")])
    again = CountingEmbedder()
    embed(tmp_path, again)
    assert again.asked == ["Fiche F2\nquatre"]


def test_the_same_text_in_two_places_is_embedded_once(tmp_path: Path) -> None:
    twin = a_sheet("F1", ["un"], "particuliers")
    other = Sheet(id=SheetId("F9"), source=SOURCE, title=twin.title, url="", sections=twin.sections)
    index(tmp_path, [twin, other])
    embedder = CountingEmbedder()
    found = embed(tmp_path, embedder)
    assert embedder.asked == ["Fiche F1", "Fiche F1\nun"]
    assert (found.sheets_embedded, found.passages_embedded) == (2, 2)


def test_what_was_done_before_a_failure_is_kept(tmp_path: Path) -> None:
    index(tmp_path)
    with pytest.raises(ModelUnreachable):
        embed(tmp_path, CountingEmbedder(fails_after=3))
    again = CountingEmbedder()
    embed(tmp_path, again)
    assert len(again.asked) == 2


def test_a_reader_sees_vectors_as_they_come(tmp_path: Path) -> None:
    index(tmp_path)
    engine = EmbeddedEngine(tmp_path, model="counting", dimension=2)
    assert engine.coverage().sheets_embedded == 0
    embed(tmp_path, CountingEmbedder(), "sheets")
    assert engine.coverage().sheets_embedded == 2


def test_two_processes_do_not_embed_at_once(tmp_path: Path) -> None:
    index(tmp_path)
    with writer(cache_path(tmp_path, "counting", 2), 2), pytest.raises(HomeBusy):
        embed(tmp_path, CountingEmbedder())


def test_an_index_of_another_model_is_not_filled(tmp_path: Path) -> None:
    index(tmp_path)
    with pytest.raises(IndexIncompatible):
        asyncio.run(embed_missing(tmp_path, CountingEmbedder(), model="other"))


def test_there_must_be_an_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        embed(tmp_path, CountingEmbedder())


def test_a_sheet_is_its_title_its_introduction_and_each_heading_once() -> None:
    sheet = Sheet(
        id=SheetId("F1"),
        source=SOURCE,
        title="Titre",
        url="",
        introduction="Une  phrase.",
        sections=(
            Section(headings=("A", "B"), text="x"),
            Section(headings=("A", "C"), text="y"),
        ),
    )
    assert sheet_text(sheet) == "Titre\nUne phrase.\nA. B. C"
