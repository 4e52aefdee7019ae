"""Fragments of HTML as lines."""

import pytest

from albert.corpus.html import lines

ROWS = "<tr><td>1</td><td>2</td></tr>"


@pytest.mark.parametrize(
    ("first", "header"),
    [
        ("<tr><th>a</th><th>b</th></tr>", "| a | b |"),
        ("<tr><td><b>a</b></td><td><p><strong>b</strong></p></td></tr>", "| a | b |"),
        ("<tr><td></td><td>a</td><td>b</td></tr>", "|  | a | b |"),
        ("<tr><td>a</td><td><b>b</b></td></tr>", "|  |  |"),
        ("<tr><th>a</th><td>b</td></tr>", "|  |  |"),
    ],
)
def test_a_first_row_of_titles_is_the_header_and_any_other_is_not(first: str, header: str) -> None:
    assert lines(f"<table>{first}{ROWS}</table>")[0] == header


def test_an_empty_table_leaves_only_its_caption() -> None:
    told = "<table><caption>Rien</caption><tr><td> </td></tr></table>"
    assert lines(told) == ["Rien"]


def test_a_list_in_a_cell_stays_on_the_line_of_its_row() -> None:
    cell = "<td>Cas :<ul><li>un</li><li>deux</li></ul></td><td>x</td>"
    assert lines(f"<table><tr>{cell}</tr></table>")[-1] == "| Cas : • un • deux | x |"


def test_scripts_comments_and_images_are_not_text() -> None:
    assert lines("<p>a<!-- b --><script>c()</script><img alt='d'> e</p>") == ["a e"]


def test_a_note_without_a_title_stays_as_it_is() -> None:
    assert lines("<div class='fr-highlight'><p>Un.</p><p>Deux.</p></div>") == ["Un.", "Deux."]


@pytest.mark.parametrize("fragment", ["", "  ", "<!-- rien -->"])
def test_nothing_gives_no_line(fragment: str) -> None:
    assert lines(fragment) == []
