"""What a sheet of service-public becomes, whichever form it came in."""

from pathlib import Path

import pytest
from publications import FOLDER, section, sheet_of

from albert.corpus.sources.service_public import ServicePublic
from albert.domain.documents import (
    Contact,
    Link,
    RelatedQuestion,
    Section,
    Sheet,
    SheetId,
    Term,
    WebService,
)

SITUATION = "Vous avez une pelle"
CASES = (SITUATION, "Qui est concerné ?", "Cas particuliers")
PAGE = "https://www.service-public.fr/particuliers/vosdroits/"


@pytest.fixture(params=["xml", "json"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sheet(form: str) -> Sheet:
    return sheet_of(FOLDER / form / "particuliers" / f"F1001.{form}")


def test_both_forms_of_the_data_set_are_read_the_same() -> None:
    forms = [list(ServicePublic(FOLDER / form).read()) for form in ("xml", "json")]
    sheets = [[each for each in form if isinstance(each, Sheet)] for form in forms]
    assert [each.id for each in sheets[0]] == ["F1001", "F1002", "F1003", "F1004"]
    assert sheets[0] == sheets[1]


def test_the_publishers_own_fields_are_kept(sheet: Sheet) -> None:
    assert sheet.title == "Abonnement au bac à sable municipal"
    assert (sheet.url, sheet.date) == (f"{PAGE}F1001", "2020-04-30")
    assert (sheet.kind, sheet.audiences) == ("Fiche d'information", ("particuliers",))
    assert (sheet.theme, sheet.breadcrumb) == ("Loisirs", ("Accueil particuliers", "Loisirs"))
    assert sheet.description == "Qui peut s'abonner au bac à sable ?"
    assert sheet.introduction == "L'abonnement ouvre le bac à sable toute l'année."
    assert sheet.warning == "Nouveau tarif\nLe tarif change en mai."


def test_situations_chapters_subchapters_and_cases_make_the_heading_path(sheet: Sheet) -> None:
    assert [(each.headings, each.opens) for each in sheet.sections] == [
        ((), 0),
        (CASES[:2], 2),
        ((*CASES, "À Paris"), 2),
        ((*CASES, "Ailleurs"), 1),
        ((SITUATION, "Démarche"), 1),
        (("Vous n'avez pas de pelle",), 1),
    ]


def test_a_section_is_found_in_its_page_by_its_title(sheet: Sheet) -> None:
    assert section(sheet, *CASES, "À Paris").anchor == ":~:text=%C3%80%20Paris"
    assert sheet.sections[0] == Section(text="Choisissez votre cas")


def test_digits_are_raised_and_letters_are_welded(sheet: Sheet) -> None:
    assert section(sheet, *CASES[:2]).text == (
        "Tout enfant de moins de 12 ans, dans un bac de 30 m², dès le 1er mai."
    )


def test_the_text_of_touching_links_stays_apart(sheet: Sheet) -> None:
    assert section(sheet, *CASES, "À Paris").text == "Voir la pelle le seau."


def test_lists_are_nested_and_services_and_contacts_are_left_out(sheet: Sheet) -> None:
    assert section(sheet, SITUATION, "Démarche").text.split("\n") == [
        "Il faut fournir :",
        "- une photo",
        "- une pelle :",
        "  - en bois",
        "  - ou en fer",
        "Attention : la pelle reste à l'enfant.",
    ]


def test_services_and_contacts_are_kept_as_data(sheet: Sheet) -> None:
    assert sheet.web_services == (
        WebService(
            title="S'abonner en ligne",
            url="https://www.example.fr/abonnement",
            institution="Ministère du sable",
            type="Téléservice",
        ),
    )
    assert sheet.contacts == (
        Contact(title="Mairie", url="https://lannuaire.example.fr/mairie", kind="mairie"),
        Contact(title="Allô Sable"),
    )


def test_related_sheets_have_an_address_even_where_no_audience_is_said(sheet: Sheet) -> None:
    assert sheet.related_questions == (
        RelatedQuestion(question="Quel est le tarif ?", sid=SheetId("F1002"), url=f"{PAGE}F1002"),
        RelatedQuestion(question="Je déménage", sid=SheetId("N2001"), url=f"{PAGE}N2001"),
    )


def test_links_are_kept_as_relations(sheet: Sheet) -> None:
    assert sheet.links == (
        Link(relation="sheet", target="F1002", title="la pelle"),
        Link(relation="web", target="https://paris.example/seau", title="le seau"),
        Link(relation="definition", target="R5001", title="râteau"),
        Link(
            relation="law",
            target="https://www.legifrance.example/sable",
            title="Code du sable : article 1",
        ),
        Link(relation="web", target="https://www.example.fr/guide", title="Guide du bac"),
        Link(relation="parent", target="N111", title="Bac à sable"),
        Link(relation="parent", target="N11", title="Jeux de plein air"),
        Link(relation="parent", target="N1", title="Loisirs"),
    )


def test_acronyms_and_definitions_are_kept_as_terms(sheet: Sheet) -> None:
    assert sheet.terms == (
        Term(term="BSM", meaning="Bac à sable municipal", kind="acronym"),
        Term(term="Râteau", meaning="Outil à dents. Il lisse le sable.", kind="definition"),
    )


def test_a_table_joins_its_header_rows_and_marks_where_a_cell_goes_on(form: str) -> None:
    [only] = sheet_of(FOLDER / form / "particuliers" / f"F1002.{form}").sections
    assert only.text.split("\n") == [
        "Le tarif dépend de l'âge :",
        "Tarifs",
        "| Âge | Prix – Semaine | Dimanche |",
        "| --- | --- | --- |",
        "| 3 ans | 1 € | gratuit |",
        "| 4 ans | • 2 € • 3 € l'été | 〃 |",
        "À savoir : le sable est compris.",
        "L'eau aussi.",
    ]


def test_a_sheet_without_address_gets_it_from_its_audience_and_id(form: str) -> None:
    sheet = sheet_of(FOLDER / form / "professionnels" / f"F1003.{form}")
    pages = "https://www.service-public.fr/professionnels-entreprises/vosdroits/"
    assert sheet.url == f"{pages}F1003"
    assert sheet.related_questions[0].url == f"{pages}N2002"


def editions(form: str) -> list[Path]:
    return ServicePublic(FOLDER / form).files()["F1004"]


def test_the_newest_of_several_editions_wins(form: str) -> None:
    sheet = sheet_of(*editions(form))
    assert (sheet.title, sheet.date) == ("Déclarer son seau", "2020-02-02")
    assert sheet.url.endswith("/professionnels-entreprises/vosdroits/F1004")
    assert sheet.audiences == ("particuliers", "professionnels", "associations")


def test_what_an_older_edition_says_otherwise_is_kept_once_under_its_audience(form: str) -> None:
    sheet = sheet_of(*editions(form))
    assert [(each.headings, each.text) for each in sheet.sections] == [
        (("Où ?",), "À la mairie."),
        (("Quand ?",), "Avant le 1er avril."),
        (("Pour les particuliers", "Quand ?"), "Avant le 1er mars."),
        (("Pour les associations", "Quand ?"), "Avant le 1er mars."),
    ]


def test_the_services_of_every_edition_are_kept(form: str) -> None:
    assert [each.url for each in sheet_of(*editions(form)).web_services] == [
        "https://www.example.fr/particuliers",
        "https://www.example.fr/professionnels",
        "https://www.example.fr/associations",
    ]
