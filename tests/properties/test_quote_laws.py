"""A quote is word for word: every line of it stands in the passage or in its lead."""

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from albert.assistant.units import quote, units
from albert.domain.documents import Chunk, SheetId, SourceName

HEADER = "| Âge | Prix |\n| --- | --- |"
line = st.one_of(
    st.lists(
        st.sampled_from(["Un fait.", "Il faut :", "Vraiment ?", "Voir l'art. L. 12.", "fin"]),
        min_size=1,
        max_size=3,
    ).map(" ".join),
    st.sampled_from(["- un", "- deux :", "  - trois", "| 3 | 1 € |", "| 4 | 〃 |", HEADER]),
)


@st.composite
def passages(draw: st.DrawFn) -> Chunk:
    return Chunk(
        sheet=SheetId("F1"),
        source=SourceName("s"),
        title="t",
        url="u",
        text="\n".join(draw(st.lists(line, min_size=1, max_size=9))),
        lead=draw(st.sampled_from(["", "Il faut :", HEADER, f"Les tarifs :\n{HEADER}"])),
    )


@given(passages(), st.data())
def test_every_line_of_a_quote_stands_in_the_passage(passage: Chunk, data: st.DataObject) -> None:
    everything = units(passage)
    chosen = data.draw(st.lists(st.sampled_from(everything), unique=True)) if everything else []
    quoted = quote(passage, chosen)
    parts = [part for line in quoted.split("\n") for part in line.split("[…]")]
    assert all(part.strip() in passage.passage for part in parts)
    assert all(unit.text in quoted for unit in chosen)


def announces_in_vain(text: str) -> bool:
    """Whether a sentence announces what is not in the passage: that sentence is not quoted."""
    lines = [*text.split("\n"), ""]
    return any(
        line.endswith(":")
        and not line.startswith(("- ", "  ", "| "))
        and not below.startswith(("- ", "  ", "| "))
        for line, below in pairwise(lines)
    )


@given(passages())
def test_a_passage_quoted_whole_is_itself(passage: Chunk) -> None:
    assume(not announces_in_vain(passage.text))
    quoted = quote(passage, units(passage))
    assert "[…]" not in quoted
    written, said = passage.text.split("\n"), quoted.split("\n")
    assert [each for each in said if each and "|" not in each] == [
        each for each in written if "|" not in each
    ]
