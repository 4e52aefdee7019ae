"""What the assistant says of itself and of its sources."""

from albert.assistant.contract import Citation
from albert.assistant.phrases import NOT_FOUND, dated, french_date, listed
from albert.domain.documents import Chunk, SheetId, SourceName


def cited(source: str, date: str = "") -> Citation:
    return Citation(
        Chunk(
            sheet=SheetId("F1"),
            source=SourceName(source),
            title="Passeport",
            url="https://example.org/F1#a",
            text="t",
            headings=("Où ?",),
            date=date,
        )
    )


def test_a_date_is_written_as_in_french() -> None:
    assert french_date("2020-11-02") == "02/11/2020"
    assert french_date("2020") == "2020"
    assert french_date("") == ""


def test_how_recent_the_sheets_are_is_said_source_by_source() -> None:
    assert dated(
        {"service-public": "2020-04-30", "experiences": "", "travail-emploi": "2026-01-02"}
    ) == (
        "Fiches servies, date de la plus récente : "
        "service-public : 30/04/2020 ; travail-emploi : 02/01/2026."
    )
    assert dated({}) == dated({"experiences": ""}) == "Aucune fiche n'est datée."


def test_sources_are_numbered_with_their_date_publisher_licence_and_address() -> None:
    said = listed([cited("service-public", "2020-04-30"), cited("ailleurs")], {})
    assert said.split("\n") == [
        "**Sources**",
        "[1] Passeport › Où ? (fiche du 30/04/2020, DILA / service-public.fr, Licence Ouverte 2.0)",
        "    https://example.org/F1#a",
        "[2] Passeport › Où ? (fiche sans date, ailleurs)",
        "    https://example.org/F1#a",
        "",
        "Aucune fiche n'est datée.",
    ]


def test_without_sources_only_the_dates_are_said() -> None:
    assert listed([], {"s": "2020-04-30"}).strip() == dated({"s": "2020-04-30"})


def test_what_is_not_found_says_whom_to_ask() -> None:
    assert "39 39" in NOT_FOUND
    assert "112" in NOT_FOUND
