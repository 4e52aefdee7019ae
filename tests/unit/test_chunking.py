"""Cutting sheets into passages: what stays whole, what is said again, what changes an id."""

from albert.corpus.chunking import chunk_sheet, estimate, pack
from albert.domain.documents import Chunk, Section, Sheet, SheetId, SourceName

SENTENCE = "La commission examine la demande complète et rend son avis motivé au préfet."
"""20 tokens as estimated: 0.125 × 76 characters + 0.6 × 12 blanks + 1 point + 2 = 19.7."""


def sheet(*sections: Section, introduction: str = "") -> Sheet:
    return Sheet(
        id=SheetId("F1"),
        source=SourceName("service-public"),
        title="Titre",
        url="https://example.org/F1",
        introduction=introduction,
        sections=sections,
    )


def case(name: str, text: str = "Une ligne.", opens: int = 1) -> Section:
    return Section(headings=("Chapitre", name), opens=opens, text=text)


def cut(text: str, tokens: int) -> list[Chunk]:
    return chunk_sheet(sheet(Section(text=text)), tokens=tokens)


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


def test_the_estimate_is_the_formula_of_its_docstring() -> None:
    assert estimate("") == 2
    assert estimate(SENTENCE) == 20


def test_a_section_that_fits_is_one_passage() -> None:
    [chunk] = cut("Un.\nDeux.", 64)
    assert (chunk.text, chunk.lead, chunk.headings) == ("Un.\nDeux.", "", ())
    assert chunk.passage == "Titre\nUn.\nDeux."


def test_a_passage_carries_its_breadcrumb_and_the_address_of_its_section() -> None:
    [chunk] = chunk_sheet(sheet(Section(headings=("A", "B"), opens=2, text="t", anchor="b")))
    assert chunk.passage == "Titre > A > B\nt"
    assert chunk.url == "https://example.org/F1#b"


def test_small_cases_under_one_heading_are_joined_with_their_titles() -> None:
    [joined] = chunk_sheet(sheet(case("À Paris", opens=2), case("Ailleurs")))
    assert joined.headings == ("Chapitre",)
    assert joined.text == "À Paris : Une ligne.\nAilleurs : Une ligne."


def test_the_title_of_a_case_stands_above_its_list() -> None:
    [joined] = chunk_sheet(sheet(case("Un", "- a\n- b", opens=2), case("Deux", "c")))
    assert joined.text == "Un :\n- a\n- b\nDeux : c"


def test_a_chapter_takes_in_the_small_cases_below_its_own_text() -> None:
    chapter = Section(headings=("Chapitre",), opens=1, text="Le principe.")
    [joined] = chunk_sheet(sheet(chapter, case("Un")))
    assert joined.text == "Le principe.\nUn : Une ligne."


def test_chapters_are_never_joined() -> None:
    chapters = [Section(headings=(name,), opens=1, text="Une ligne.") for name in ("A", "B")]
    assert len(chunk_sheet(sheet(*chapters))) == 2


def test_cases_under_different_headings_are_not_joined() -> None:
    other = Section(headings=("Autre", "Ailleurs"), opens=2, text="Une ligne.")
    assert len(chunk_sheet(sheet(case("À Paris", opens=2), other))) == 2


def test_a_case_longer_than_a_third_of_a_passage_stands_alone() -> None:
    long = " ".join([SENTENCE] * 2)
    assert len(chunk_sheet(sheet(case("Un", long, opens=2), case("Deux")), tokens=110)) == 2


def test_the_introduction_stands_before_the_sections() -> None:
    chunks = chunk_sheet(sheet(case("Un"), introduction="D'abord."))
    assert texts(chunks)[0] == "D'abord."


def test_a_sheet_without_words_has_no_passage() -> None:
    assert chunk_sheet(sheet()) == []
    assert [section.text for section in pack(sheet())] == [""]


def test_a_paragraph_is_cut_between_sentences_into_about_equal_parts() -> None:
    chunks = cut(" ".join([SENTENCE] * 8), 100)
    assert {line for text in texts(chunks) for line in text.split("\n")} == {SENTENCE}
    assert [text.count(SENTENCE) for text in texts(chunks)] == [4, 4]


def test_a_sentence_too_long_for_a_passage_stays_whole() -> None:
    endless = "Mot " + "mot " * 300 + "fin."
    assert endless in texts(cut(f"{SENTENCE} {endless} {SENTENCE}", 64))


def test_a_list_is_cut_between_items_and_its_announcement_is_said_again() -> None:
    items = [f"- {SENTENCE} {number}" for number in range(8)]
    first, *rest = cut("\n".join(["Il faut fournir :", *items]), 100)
    assert first.text.startswith(f"Il faut fournir :\n{items[0]}")
    assert first.lead == ""
    assert {chunk.lead for chunk in rest} == {"Il faut fournir :"}
    assert "\n".join(texts([first, *rest])).split("\n")[1:] == items


def test_nested_items_stay_with_the_item_above_them() -> None:
    family = f"- parent :\n  - {SENTENCE}\n  - {SENTENCE}"
    chunks = cut("\n".join([family] * 6), 100)
    assert len(chunks) > 2
    assert all(chunk.text.startswith("- parent :") for chunk in chunks)


def test_an_item_too_long_with_those_nested_in_it_is_said_again_before_them() -> None:
    nested = [f"  - {SENTENCE} {number}" for number in range(8)]
    first, *rest = cut("\n".join(["- parent :", *nested]), 100)
    assert first.text.startswith("- parent :")
    assert {chunk.lead for chunk in rest} == {"- parent :"}


def test_a_table_is_cut_between_rows_and_its_header_is_said_again() -> None:
    header = "| Âge | Prix |\n| --- | --- |"
    rows = [f"| {number} ans | {SENTENCE} |" for number in range(8)]
    first, *rest = cut("\n".join(["Les tarifs :", header, *rows]), 120)
    assert first.text.startswith(f"Les tarifs :\n{header}\n{rows[0]}")
    assert {chunk.lead for chunk in rest} == {f"Les tarifs :\n{header}"}
    assert "\n".join(texts([first, *rest])).split("\n")[3:] == rows


def test_rows_that_a_cell_spans_stay_together() -> None:
    header = "| A | B |\n| --- | --- |"
    pairs = [f"| {n} | {SENTENCE} |\n| 〃 | suite {n} |" for n in range(6)]
    chunks = cut("\n".join([header, *pairs]), 150)
    assert len(chunks) > 1
    assert not [chunk for chunk in chunks if chunk.text.startswith("| 〃")]


def test_an_announcement_never_ends_a_passage() -> None:
    text = "\n".join([*[SENTENCE] * 3, "Il faut fournir :", *[f"- {SENTENCE}"] * 6])
    assert not [text for text in texts(cut(text, 100)) if text.endswith(":")]


def test_the_same_sheet_gives_the_same_ids_each_once() -> None:
    text = "\n".join([SENTENCE] * 20)
    first, second = cut(text, 64), cut(text, 64)
    assert [chunk.id for chunk in first] == [chunk.id for chunk in second]
    assert len({chunk.id for chunk in first}) == len(first)


def test_passages_that_say_the_same_are_told_apart_by_their_copy() -> None:
    assert [chunk.copy for chunk in cut("\n".join([SENTENCE] * 9), 80)] == [0, 1, 2]


def test_a_changed_paragraph_changes_the_ids_of_its_own_section_only() -> None:
    def version(third: str) -> list[Chunk]:
        sections = [Section(headings=(name,), opens=1, text=f"{SENTENCE} {name}.") for name in "AB"]
        return chunk_sheet(sheet(*sections, Section(headings=("C",), opens=1, text=third)))

    before, after = version("Avant."), version("Après.")
    assert [a.id == b.id for a, b in zip(before, after, strict=True)] == [True, True, False]
    assert before[2].headings == ("C",)


def test_an_id_is_of_the_passage_and_not_of_its_date_or_address() -> None:
    [before] = cut("Un.", 64)
    made = Chunk(
        sheet=before.sheet,
        source=before.source,
        title="Titre",
        url="https://example.org/moved",
        text="Un.",
        date="2026-01-01",
    )
    assert made.id == before.id
