"""How each element of a publication's text is read: one small publication a behaviour."""

from pathlib import Path

import pytest
from publications import BOTH, Write, lines, publication, sheet_of, skipped_of, written_json

from albert.domain.documents import Sheet

PARAGRAPH = "<Paragraphe>{}</Paragraphe>"


@pytest.fixture(params=BOTH, ids=["xml", "json"])
def write(request: pytest.FixtureRequest) -> Write:
    found: Write = request.param
    return found


def read(write: Write, folder: Path, inside: str) -> Sheet:
    return sheet_of(write(folder, publication(f"<Texte>{inside}</Texte>")))


@pytest.mark.parametrize("note", ["ANoter", "ASavoir", "Attention", "Rappel"])
def test_a_note_begins_with_its_title(write: Write, tmp_path: Path, note: str) -> None:
    inside = f"<{note}><Titre>Bon</Titre>{PARAGRAPH.format('à lire.')}</{note}>"
    assert lines(read(write, tmp_path, inside)) == ["Bon : à lire."]


def test_a_note_that_begins_with_a_list_has_its_title_on_a_line(
    write: Write, tmp_path: Path
) -> None:
    inside = (
        "<Rappel><Titre>Bon</Titre><Liste><Item><Paragraphe>un</Paragraphe></Item></Liste></Rappel>"
    )
    assert lines(read(write, tmp_path, inside)) == ["Bon :", "- un"]


def test_a_note_without_title_is_its_text(write: Write, tmp_path: Path) -> None:
    assert lines(read(write, tmp_path, f"<Attention>{PARAGRAPH.format('Gare.')}</Attention>")) == [
        "Gare."
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("30 m<Exposant>2</Exposant>", "30 m²"),
        ("le 1<Exposant>er</Exposant> mai", "le 1er mai"),
        ("<Valeur>30</Valeur><Exposant>2</Exposant>", "30²"),
        ("CO<Indice>2</Indice>", "CO₂"),
        ("10³ litres", "10³ litres"),
        ("un\u00a0ﬁl\u202f: ½", "un fil : 1⁄2"),
        ("un\n      deux", "un deux"),
        ("<LienIntra LienID='R1'>a</LienIntra><LienExterne URL='u'>,</LienExterne>", "a,"),
        ("l'<LienIntra LienID='R1'>impôt</LienIntra>", "l'impôt"),
        ("<MiseEnEvidence>(a</MiseEnEvidence><Valeur>b)</Valeur>", "(a b)"),
    ],
)
def test_what_stands_in_a_paragraph(tmp_path: Path, written: str, said: str) -> None:
    assert lines(read(written_json, tmp_path, PARAGRAPH.format(written))) == [said]


def test_blanks_between_links_are_mended_where_the_registry_lost_them(
    write: Write, tmp_path: Path
) -> None:
    links = (
        "<LienInterne LienPublication='F2'>un</LienInterne> "
        "<LienInterne LienPublication='F3'>deux</LienInterne> "
        "<MiseEnEvidence>(trois)</MiseEnEvidence>"
    )
    assert lines(read(write, tmp_path, PARAGRAPH.format(links))) == ["un deux (trois)"]


def test_a_list_in_an_item_is_deeper_and_what_follows_it_stays_in_the_item(
    write: Write, tmp_path: Path
) -> None:
    inside = (
        "<Liste><Item><Paragraphe>a :</Paragraphe><Liste><Item><Paragraphe>b</Paragraphe>"
        "<Liste><Item><Paragraphe>c</Paragraphe></Item></Liste></Item></Liste>"
        "<Paragraphe>fin</Paragraphe></Item></Liste>"
    )
    assert lines(read(write, tmp_path, inside)) == ["- a :", "  - b", "    - c", "  fin"]


def test_a_cell_of_two_columns_and_two_rows_stands_once(write: Write, tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        return f"<Rangée type='normal'>{''.join(cells)}</Rangée>"

    def cell(text: str, spans: str = "") -> str:
        return f"<Cellule {spans}><Paragraphe>{text}</Paragraphe></Cellule>"

    big = cell("a", "fusionHorizontale='2' fusionVerticale='2'")
    inside = f"<Tableau>{row(big, cell('b'))}{row(cell('c'))}{row(*map(cell, 'def'))}</Tableau>"
    assert lines(read(write, tmp_path, inside)) == [
        "|  |  |  |",
        "| --- | --- | --- |",
        "| a | 〃 | b |",
        "| 〃 | 〃 | c |",
        "| d | e | f |",
    ]


def test_a_bar_in_a_cell_is_escaped(write: Write, tmp_path: Path) -> None:
    inside = "<Tableau><Rangée type='header'><Cellule>a|b</Cellule></Rangée></Tableau>"
    assert lines(read(write, tmp_path, inside))[0] == "| a\\|b |"


def test_the_sites_machinery_is_left_out_and_the_text_inside_is_kept(
    write: Write, tmp_path: Path
) -> None:
    inside = (
        "<FragmentConditionne><Condition>age &lt; 18</Condition>"
        f"{PARAGRAPH.format('Vous êtes mineur.')}</FragmentConditionne>"
        "<VoirAussi><Titre>Ailleurs</Titre></VoirAussi>"
        "<SiSelectionne>zone</SiSelectionne>"
    )
    assert lines(read(write, tmp_path, inside)) == ["Vous êtes mineur."]


def test_a_heading_without_text_becomes_a_line(write: Write, tmp_path: Path) -> None:
    inside = "<Chapitre><Titre><Paragraphe>Bientôt</Paragraphe></Titre></Chapitre>"
    assert lines(read(write, tmp_path, inside)) == ["Bientôt"]


def test_a_sheet_without_text_says_its_description(write: Write, tmp_path: Path) -> None:
    described = publication("<dc:description>Une aide.</dc:description>")
    assert lines(sheet_of(write(tmp_path, described))) == ["Une aide."]


def test_a_sheet_with_a_comment_on_an_address_says_the_comment(
    write: Write, tmp_path: Path
) -> None:
    commented = publication(
        "<LienExterneCommente><Titre>Le guide</Titre>"
        f"{PARAGRAPH.format('À lire avant tout.')}</LienExterneCommente>"
    )
    assert "À lire avant tout." in lines(sheet_of(write(tmp_path, commented)))


def test_a_related_question_without_audience_or_id_stops_nothing(
    write: Write, tmp_path: Path
) -> None:
    path = write(tmp_path, publication("<CommentFaireSi>Je pars</CommentFaireSi>"))
    assert skipped_of(path) == []
    assert sheet_of(path).related_questions == ()
