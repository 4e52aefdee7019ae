"""Lists and tables as Markdown lines."""

from albert.corpus.markdown import Cell, item, table


def test_an_item_is_two_spaces_deeper_at_each_level() -> None:
    assert [item("a"), item("b", 2), item("c", 1, "1.")] == ["- a", "    - b", "  1. c"]


def test_a_table_without_header_gets_an_empty_one() -> None:
    assert table([], [[Cell("a"), Cell("b")]]) == ["|  |  |", "| --- | --- |", "| a | b |"]


def test_short_rows_are_filled_up_to_the_widest() -> None:
    assert table([[Cell("a")]], [[Cell("b"), Cell("c")]]) == [
        "| a |  |",
        "| --- | --- |",
        "| b | c |",
    ]


def test_a_cell_over_rows_pushes_those_below_aside() -> None:
    assert table([], [[Cell("a", rows=2), Cell("b")], [Cell("c")]])[2:] == [
        "| a | b |",
        "| 〃 | c |",
    ]


def test_header_rows_are_joined_column_by_column() -> None:
    headers = [[Cell("x", rows=2), Cell("y", columns=2)], [Cell("z"), Cell("t")]]
    assert table(headers, [])[0] == "| x | y – z | t |"


def test_nothing_makes_no_table() -> None:
    assert table([], []) == []
    assert table([[]], [[]]) == []
