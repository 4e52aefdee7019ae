"""The sheets of the ministry of Labour, on a small file written by us in its form."""

import html
import re
from pathlib import Path

import orjson
import pytest

from albert.corpus.contract import Skipped
from albert.corpus.sources.travail_emploi import TravailEmploi
from albert.corpus.text import normalise, raised, words
from albert.domain.documents import Link, Section, Sheet
from albert.domain.errors import CorpusError, CorpusMissing

FIXTURE = Path(__file__).parents[1] / "fixtures" / "travail-emploi"
DURATION = "Quelle durée ?"
CASES = (DURATION, "Cas particuliers")


def sheet(name: str = "article1") -> Sheet:
    return next(s for s in TravailEmploi(FIXTURE).read() if isinstance(s, Sheet) and s.id == name)


def section(*headings: str) -> Section:
    return next(each for each in sheet().sections if each.headings == headings)


def test_sheets_come_ordered_by_id_and_a_malformed_one_is_named() -> None:
    read = list(TravailEmploi(FIXTURE).read())
    names = [each.name if isinstance(each, Skipped) else each.id for each in read]
    assert names == ["article1", "article2", "article3"]
    assert isinstance(read[2], Skipped)
    assert read[2].error


def test_a_date_is_iso_and_an_unreadable_one_is_empty() -> None:
    assert (sheet().date, sheet("article2").date) == ("2025-07-03", "")


def test_the_introduction_is_the_text_of_its_html() -> None:
    assert sheet().introduction == "Une introduction."


def test_a_section_titled_like_the_sheet_has_no_heading_and_a_note_keeps_its_title() -> None:
    first = sheet().sections[0]
    assert (first.headings, first.opens, first.text) == ((), 0, "À savoir ! Texte liminaire.")


def test_raised_digits_stay_raised_and_inline_tags_neither_weld_nor_cut() -> None:
    assert section(DURATION).text == (
        "La durée est de 18 mois¹, soit 20 m² le 1er jour.\nVoir la fiche.\nPuis la suite."
    )


def test_lists_keep_their_depth_and_what_goes_on_in_an_item_is_indented() -> None:
    assert section(*CASES).text == (
        "- Un cas\n  - Un sous-cas\n  et sa fin\n- Deux\n  suite de deux"
    )


def test_an_accordion_is_a_heading_that_ends_with_it() -> None:
    told = [each for each in sheet().sections if each.headings[:2] == CASES]
    assert [(each.headings[2:], each.opens) for each in told] == [
        ((), 1),
        (("Pour aller plus loin",), 1),
        ((), 0),
    ]
    assert [each.text for each in told][1:] == ["Détail.", "Après l’accordéon."]


def test_headings_without_text_become_lines_of_what_encloses_them() -> None:
    last = [each for each in sheet().sections if each.headings == (DURATION,)][-1]
    assert (last.text, last.opens) == ("Titre sans texte\nAutre titre sans texte", 0)


def test_a_table_keeps_its_caption_header_rows_and_spans() -> None:
    assert section("Tableau", "Durées").text.split("\n") == [
        "Durées maximales",
        "| Cas | Durée – Date à date | Sans terme |",
        "| --- | --- | --- |",
        "| Remplacement | 18 mois | Fin de l’absence |",
    ]


def test_an_inner_h2_stands_beside_its_section() -> None:
    assert section("Textes de référence").text == "- Article L. 1"


def test_links_keep_their_words_and_the_law_its_article() -> None:
    assert sheet().links == (
        Link(relation="web", target="https://exemple.gouv.fr/fiche", title="la fiche"),
        Link(relation="law", target="LEGIARTI000006901251", title="L. 1251-2"),
    )


def test_an_anchor_leads_to_its_section() -> None:
    assert section("Tableau", "Durées").anchor == "tableau"


def visible(fragment: str) -> str:
    """The words a browser shows, read with another method than the reader's."""
    fragment = re.sub(r"<sup>(.*?)</sup>", lambda found: raised(found[1]), fragment)
    fragment = re.sub(r"</?(?:strong|em|a|span|button)(?:\s[^>]*)?>", "", fragment)
    return normalise(html.unescape(re.sub(r"<[^>]+>", " ", fragment)))


def test_no_word_of_a_section_is_lost_added_or_welded() -> None:
    record = orjson.loads((FIXTURE / "fiches-travail.json").read_bytes())[1]
    expected = sum((words(visible(each["html"])) for each in record["sections"]), words(""))
    expected += words(" ".join(each["title"] for each in record["sections"][1:]))
    found = words("")
    for each in sheet().sections:
        opened = each.headings[len(each.headings) - each.opens :]
        found += words(each.text) + words(" ".join(opened))
    assert found == expected


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match="albert corpus fetch"):
        list(TravailEmploi(tmp_path).read())


@pytest.mark.parametrize("content", [b"[{", b"{}", b""])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fiches-travail.json").write_bytes(content)
    with pytest.raises(CorpusError, match=r"fiches-travail\.json"):
        list(TravailEmploi(tmp_path).read())
