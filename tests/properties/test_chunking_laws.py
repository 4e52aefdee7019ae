"""Laws of cutting: nothing is lost, nothing is added, and what is short stays whole."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from albert.corpus.chunking import chunk_sheet, estimate, pack
from albert.corpus.markdown import Cell, item, table
from albert.corpus.proof import headings_opened
from albert.corpus.sections import SectionWriter
from albert.corpus.sentences import sentences
from albert.corpus.text import words
from albert.domain.documents import Sheet, SheetId, SourceName

WORDS = [
    "La",
    "demande",
    "mairie",
    "impôt",
    "sur",
    "le",
    "revenu",
    "12",
    "§",
    "art.",
    "L.",
    "euros",
    ";",
    "pièce",
    "d'identité",
    "|",
]
phrase = st.lists(st.sampled_from(WORDS), min_size=1, max_size=25).map(" ".join)
paragraph = st.lists(
    st.builds(str.__add__, phrase, st.sampled_from([".", " !", " :", ""])), min_size=1, max_size=4
).map(" ".join)
cells = st.builds(Cell, phrase, columns=st.integers(1, 2), rows=st.integers(1, 3))
rows = st.lists(st.lists(cells, min_size=1, max_size=3), max_size=5)
tables = st.builds(table, st.lists(st.lists(cells, max_size=3), max_size=2), rows)
lists = st.lists(st.builds(item, paragraph, st.integers(0, 2)), min_size=1, max_size=8)
block = st.one_of(paragraph.map(lambda line: [line]), lists, tables)
step = st.one_of(block, st.builds("# {}".format, phrase), st.just("close"))


def written(steps: list[list[str] | str]) -> Sheet:
    """A sheet whose headings open and close as the steps say."""
    writer, depth = SectionWriter(), 0
    for one in steps:
        if isinstance(one, list):
            for line in one:
                writer.line(line)
        elif one == "close":
            if depth:
                writer.close()
            depth = max(depth - 1, 0)
        else:
            writer.open(one.removeprefix("# "), "a")
            depth += 1
    for _ in range(depth):
        writer.close()
    return Sheet(
        id=SheetId("F1"),
        source=SourceName("service-public"),
        title="Titre",
        url="u",
        introduction="Une introduction.",
        sections=writer.sections(),
    )


sheets = st.lists(step, max_size=12).map(written)
sizes = st.integers(64, 220)


@settings(max_examples=30)
@given(sheets, sizes)
def test_passages_joined_are_the_sheet_again(sheet: Sheet, tokens: int) -> None:
    joined = " ".join(chunk.text for chunk in chunk_sheet(sheet, tokens=tokens))
    packed = " ".join(section.text for section in pack(sheet, tokens=tokens))
    assert joined.split() == packed.split()


@settings(max_examples=30)
@given(sheets, sizes)
def test_no_word_of_a_sheet_is_lost_or_said_twice(sheet: Sheet, tokens: int) -> None:
    said = words(sheet.introduction)
    for section in sheet.sections:
        opened = section.headings[len(section.headings) - section.opens :]
        said += words(" ".join((*opened, section.text)))
    kept = words(" ".join(headings_opened(pack(sheet, tokens=tokens))))
    for chunk in chunk_sheet(sheet, tokens=tokens):
        kept += words(chunk.text)
    assert kept == said


@settings(max_examples=30)
@given(sheets, sizes)
def test_items_rows_and_sentences_are_never_cut(sheet: Sheet, tokens: int) -> None:
    chunks = chunk_sheet(sheet, tokens=tokens)
    have = Counter(line for chunk in chunks for line in chunk.text.split("\n"))
    for section in pack(sheet, tokens=tokens):
        for line in section.text.split("\n"):
            whole = line.startswith(("- ", "  ", "| "))
            parts = [line] if whole or line in have else sentences(line)
            assert all(part in have for part in parts)


@settings(max_examples=30)
@given(sheets, sizes)
def test_only_what_is_never_cut_makes_a_passage_too_long(sheet: Sheet, tokens: int) -> None:
    for chunk in chunk_sheet(sheet, tokens=tokens):
        lines = [part for line in chunk.text.split("\n") for part in sentences(line)]
        longest = max(map(estimate, lines))
        if estimate(chunk.passage) > tokens:
            breadcrumb = estimate(" > ".join((sheet.title, *chunk.headings)))
            assert longest + breadcrumb + estimate(chunk.lead) > tokens // 3


@settings(max_examples=30)
@given(sheets, sizes)
def test_ids_are_unique_and_a_function_of_the_sheet(sheet: Sheet, tokens: int) -> None:
    ids = [chunk.id for chunk in chunk_sheet(sheet, tokens=tokens)]
    assert len(set(ids)) == len(ids)
    assert ids == [chunk.id for chunk in chunk_sheet(sheet, tokens=tokens)]


@settings(max_examples=30)
@given(sheets, sizes)
def test_a_lead_stands_already_in_an_earlier_passage(sheet: Sheet, tokens: int) -> None:
    earlier = ""
    for chunk in chunk_sheet(sheet, tokens=tokens):
        assert all(line.strip() in earlier for line in chunk.lead.split("\n"))
        earlier += f"\n{chunk.text}"
