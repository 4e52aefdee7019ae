"""Whatever was asked, a title is one."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from albert.assistant.titles import title_of

QUESTIONS = st.text() | st.lists(
    st.sampled_from(["Bonjour", "madame", ",", "Monsieur", "…", "a" * 30, "mot", "!", "-", "\n"])
).map(" ".join)


@given(QUESTIONS)
def test_a_title_is_one_short_line_without_what_cannot_be_seen(question: str) -> None:
    title = title_of(question)
    assert len(title.split()) <= 8
    assert len(title) <= 80
    assert title == " ".join(title.split())
    assert not [char for char in title if unicodedata.category(char) in ("Cc", "Cf", "Cs")]


@given(QUESTIONS)
def test_the_title_of_a_title_is_itself(question: str) -> None:
    assert title_of(title_of(question)) == title_of(question)
