"""Sections written in reading order: no heading is lost, none stands twice."""

import pytest

from albert.corpus.sections import SectionWriter
from albert.domain.documents import Section


@pytest.fixture
def writer() -> SectionWriter:
    return SectionWriter()


def test_lines_under_one_heading_make_one_section(writer: SectionWriter) -> None:
    writer.open("A", "a")
    writer.line("un")
    writer.line("")
    writer.line("deux")
    writer.close()
    assert writer.sections() == (Section(headings=("A",), opens=1, text="un\ndeux", anchor="a"),)


def test_a_heading_stands_for_the_first_time_once(writer: SectionWriter) -> None:
    writer.open("A")
    for name in "BC":
        writer.open(name)
        writer.line(name.lower())
        writer.close()
    writer.line("fin")
    writer.close()
    assert [(s.headings, s.opens, s.text) for s in writer.sections()] == [
        (("A", "B"), 2, "b"),
        (("A", "C"), 1, "c"),
        (("A",), 0, "fin"),
    ]


def test_a_heading_over_nothing_is_a_line_of_the_section_around_it(writer: SectionWriter) -> None:
    writer.open("A")
    writer.open("B")
    writer.close()
    writer.close()
    assert writer.sections() == (Section(headings=("A",), opens=1, text="B"),)


def test_an_anchor_goes_on_below_and_ends_with_its_heading(writer: SectionWriter) -> None:
    writer.open("A", "a")
    writer.open("B")
    writer.line("b")
    writer.close()
    writer.close()
    writer.line("après")
    assert [s.anchor for s in writer.sections()] == ["a", ""]


def test_an_anchor_goes_on_only_below_its_own_heading(writer: SectionWriter) -> None:
    writer.open("A", "a")
    writer.open("B", "b")
    writer.line("sous B")
    writer.close()
    writer.line("sous A")
    writer.close()
    assert [s.anchor for s in writer.sections()] == ["b", "a"]
