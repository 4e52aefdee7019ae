"""What is quoted of a passage, and what comes with it to be understood."""

from albert.assistant.units import Unit, quote, units
from albert.domain.documents import Chunk, SheetId, SourceName


def chunk(*lines: str, lead: str = "") -> Chunk:
    return Chunk(
        sheet=SheetId("F1"),
        source=SourceName("s"),
        title="t",
        url="u",
        text="\n".join(lines),
        lead=lead,
    )


def quoted(passage: Chunk, *texts: str) -> list[str]:
    """The lines quoted when the units with these texts are chosen."""
    chosen = [unit for unit in units(passage) if unit.text in texts]
    assert len(chosen) == len(texts)
    return quote(passage, chosen).split("\n")


LIST = chunk("Avant.", "Il faut fournir :", "- une photo", "- un acte", "Après.")
TABLE = chunk("| Âge | Prix |", "| --- | --- |", "| 3 ans | 1 € |", "| 4 ans | 2 € |")


def test_sentences_items_and_rows_are_units() -> None:
    assert units(chunk("Un. Deux.", "- trois. Quatre.")) == [
        Unit("Un.", 0, 0),
        Unit("Deux.", 0, 1),
        Unit("- trois. Quatre.", 1),
    ]


def test_the_header_and_rule_of_a_table_are_not_units() -> None:
    assert [unit.text for unit in units(TABLE)] == ["| 3 ans | 1 € |", "| 4 ans | 2 € |"]


def test_one_sentence_is_quoted_alone() -> None:
    assert quoted(chunk("Un. Deux. Trois."), "Deux.") == ["Deux."]


def test_sentences_of_one_line_stay_on_it_and_what_is_left_out_is_marked() -> None:
    passage = chunk("Un. Deux. Trois.")
    assert quoted(passage, "Un.", "Deux.") == ["Un. Deux."]
    assert quoted(passage, "Un.", "Trois.") == ["Un. […] Trois."]


def test_what_is_left_out_between_lines_has_its_own_line() -> None:
    assert quoted(chunk("Un.", "Deux.", "Trois."), "Un.", "Trois.") == ["Un.", "[…]", "Trois."]


def test_an_announcement_comes_with_the_list_it_announces() -> None:
    assert quoted(LIST, "Il faut fournir :") == ["Il faut fournir :", "- une photo", "- un acte"]


def test_a_long_list_is_quoted_up_to_six_items() -> None:
    passage = chunk("Il faut :", *(f"- {n}" for n in range(9)))
    assert quoted(passage, "Il faut :") == ["Il faut :", *(f"- {n}" for n in range(6))]


def test_an_item_comes_with_what_announces_it() -> None:
    assert quoted(LIST, "- un acte") == ["Il faut fournir :", "[…]", "- un acte"]


def test_a_row_comes_with_the_header_of_its_table() -> None:
    assert quoted(TABLE, "| 4 ans | 2 € |") == [
        "| Âge | Prix |",
        "| --- | --- |",
        "| 4 ans | 2 € |",
    ]


def test_two_rows_share_one_header() -> None:
    assert quoted(TABLE, "| 3 ans | 1 € |", "| 4 ans | 2 € |") == TABLE.text.split("\n")


def test_a_header_that_stands_in_the_lead_is_quoted_too() -> None:
    rest = chunk("| 4 ans | 2 € |", lead="Les tarifs :\n| Âge | Prix |\n| --- | --- |")
    assert quoted(rest, "| 4 ans | 2 € |") == ["| Âge | Prix |", "| --- | --- |", "| 4 ans | 2 € |"]


def test_nothing_chosen_quotes_nothing() -> None:
    assert quote(LIST, []) == ""


def test_units_come_in_the_order_of_the_passage_and_each_once() -> None:
    first, second = units(chunk("Un.", "Deux."))
    assert quote(chunk("Un.", "Deux."), [second, first, second]) == "Un.\nDeux."


def test_nested_items_come_with_the_list_that_is_announced() -> None:
    passage = chunk("Il faut :", "- une pièce :", "  - passeport", "- un acte", "Après.")
    assert quoted(passage, "Il faut :") == [
        "Il faut :",
        "- une pièce :",
        "  - passeport",
        "- un acte",
    ]
