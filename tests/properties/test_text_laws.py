"""Laws of text: normalising, sentences."""

from hypothesis import given
from hypothesis import strategies as st

from albert.corpus.sentences import sentences
from albert.corpus.text import normalise, words

SAID = st.sampled_from(
    [
        "Un",
        "deux",
        "art.",
        "L.",
        "M.",
        "fin.",
        "Oui !",
        "«",
        "»",
        "(Non)",
        "3.4",
        "…",
        ":",
        '"A"',
        "n°",
    ]
)
ODD = "aé2²₂ﬁ½ªſ\u0301\u0302\u0338\u0345\u00a0\u202f\u2028\u200b\u00ad\ufeff\x00\x1f\u1160\uac00"
odd = st.text() | st.text(ODD)
prose = st.lists(SAID, max_size=20).map(" ".join)


@given(odd)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(odd)
def test_normalised_text_is_one_line_without_double_blanks(text: str) -> None:
    kept = normalise(text)
    assert kept == " ".join(kept.split())


@given(odd, odd)
def test_a_blank_between_two_texts_stays_one(before: str, after: str) -> None:
    apart = normalise(f"{before} \n{after}")
    assert apart == normalise(f"{normalise(before)} {normalise(after)}")


@given(prose)
def test_sentences_joined_by_one_space_are_the_paragraph(paragraph: str) -> None:
    assert " ".join(sentences(paragraph)) == paragraph


@given(st.text())
def test_sentences_of_any_normalised_text_are_that_text(text: str) -> None:
    paragraph = normalise(text)
    assert " ".join(sentences(paragraph)) == paragraph


@given(st.text(), st.text())
def test_words_of_two_lines_are_those_of_each(first: str, second: str) -> None:
    assert words(f"{first}\n{second}") == words(first) + words(second)
