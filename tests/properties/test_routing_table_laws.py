"""Laws of reading a routing table."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from albert.routing.place import line_of
from albert.routing.reading import parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), st.integers(), min_size=1, max_size=8), st.data())
def test_with_a_key_a_line_the_nth_key_stands_on_line_n_plus_one(
    made: dict[str, int], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(list(made)))
    expected = list(made).index(key) + 2  # the brace has the first line
    assert line_of(json.dumps(made, indent=1), [key]) == expected


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_object_is_read_or_refused_with_lines_of_the_text(value: dict[str, object]) -> None:
    text = json.dumps(value, indent=1)
    table, mistakes = parse(text)
    assert all(1 <= mistake.line <= text.count("\n") + 1 for mistake in mistakes)
    assert len(table) == len(value.keys() - {"$schema"}) or mistakes


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    table, mistakes = parse(text)
    assert mistakes or len(table) == 0
