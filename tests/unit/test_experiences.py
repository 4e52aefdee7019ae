"""Citizens' experiences, on a small file written by us in the publisher's form."""

from pathlib import Path

import pytest

from albert.corpus.contract import Skipped
from albert.corpus.sources.experiences import Experiences, clean, mask
from albert.domain.documents import Section, Sheet
from albert.domain.errors import CorpusMissing

FIXTURE = Path(__file__).parents[1] / "fixtures" / "experiences"


def sheets() -> dict[str, Sheet]:
    return {each.id: each for each in Experiences(FIXTURE).read() if isinstance(each, Sheet)}


def test_experiences_come_ordered_by_number_and_one_without_text_is_named() -> None:
    names = [e.name if isinstance(e, Skipped) else e.id for e in Experiences(FIXTURE).read()]
    assert names == ["9", "10", "12"]
    assert list(sheets()) == ["9", "12"]


def test_the_answer_of_the_administration_is_a_section_of_its_own() -> None:
    answered = sheets()["12"]
    assert answered.sections == (
        Section(
            text="J'attends depuis mars. Personne ne répond, c'est long ! Que faire ? "
            "Voir www.ants.gouv.fr."
        ),
        Section(
            headings=("Réponse de l'administration",),
            opens=1,
            text="Bonjour, Madame [nom]\nNous vous rappellerons au [téléphone].\nL'équipe",
        ),
    )
    assert (answered.kind, answered.theme, answered.date) == ("Expérience", "ANTS", "2024-02-03")


def test_the_address_is_the_data_set_s_for_no_message_has_one() -> None:
    urls = {one.url for one in sheets().values()}
    assert len(urls) == 1
    assert urls.pop().endswith("/datasets/export-expa-c-riences")


def test_an_experience_without_an_answer_is_read_all_the_same() -> None:
    alone = sheets()["9"]
    assert [each.headings for each in alone.sections] == [()]
    assert alone.date == "2023-06-05"


def test_names_mails_and_phones_are_masked() -> None:
    assert sheets()["9"].sections[0].text == (
        "Merci à Mme [nom], écrivez-moi : [adresse électronique] ou [téléphone]."
    )


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Madame la Préfète", "Madame la Préfète"),
        ("Madame, Monsieur,", "Madame, Monsieur,"),
        ("Madame Monsieur", "Madame Monsieur"),
        ("mon numéro 2 85 05 78 006 084 36", "mon numéro [numéro]"),
        ("0612345678", "[téléphone]"),
        ("le 01.23.45.67.89 svp", "le [téléphone] svp"),
        ("dossier 123456", "dossier 123456"),
        ("1 250,50 euros le 12/03/2024", "1 250,50 euros le 12/03/2024"),
    ],
)
def test_only_what_tells_a_person_is_masked(told: str, kept: str) -> None:
    assert mask(told) == kept


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Oui.Non", "Oui. Non"),
        ("3.5 jours,puis 1,5", "3.5 jours, puis 1,5"),
        ("Fini&nbsp;!\r\rMerci", "Fini !\nMerci"),
        ("voir impots.gouv.fr.Merci", "voir impots.gouv.fr. Merci"),
        (None, ""),
    ],
)
def test_lost_spaces_come_back_and_addresses_and_figures_stay(told: object, kept: str) -> None:
    assert clean(told) == kept


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match="albert corpus fetch"):
        list(Experiences(tmp_path).read())
