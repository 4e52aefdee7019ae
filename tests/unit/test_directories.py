"""The directory and the France services houses, on small files written by us."""

from pathlib import Path

import pytest

from albert.corpus.contract import Skipped
from albert.corpus.sources.directory import Directory
from albert.corpus.sources.france_services import FranceServices
from albert.domain.documents import Institution, SourceName
from albert.domain.errors import CorpusError, CorpusMissing

DIRECTORY, HOUSES = SourceName("directory"), SourceName("france-services")
FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_a_service_has_its_addresses_once_and_one_without_a_name_is_named() -> None:
    assert list(Directory(FIXTURES / "directory").read()) == [
        Institution(
            name="Mairie d’Exemple",
            source=DIRECTORY,
            urls=("https://www.exemple.fr",),
            phones=("04 00 00 00 00",),
            mails=("mairie@exemple.fr",),
            kind="mairie",
        ),
        Skipped(name="local.json n° 2", reason="service sans nom", error=True),
        Institution(name="Ministère d'Exemple", source=DIRECTORY, kind="Ministère"),
    ]


def test_a_house_has_its_phone_and_mail_and_one_without_a_name_is_named() -> None:
    assert list(FranceServices(FIXTURES / "france-services").read()) == [
        Institution(
            name="France services d’Exemple",
            source=HOUSES,
            id="1",
            phones=("04 00 00 00 01",),
            mails=("exemple@france-services.gouv.fr",),
            kind="Espace labellisé",
            address="1 place de la Mairie",
            postcode="01000",
            town="Exemple",
        ),
        Skipped(name="ligne 3", reason="maison sans nom", error=True),
    ]


def test_semicolons_separate_columns_as_well(tmp_path: Path) -> None:
    (tmp_path / "france-services.csv").write_text("id_fs;lib_fs;mail\n1;Maison, bus;a@b.fr\n")
    (house,) = FranceServices(tmp_path).read()
    assert isinstance(house, Institution)
    assert (house.id, house.name, house.mails) == ("1", "Maison, bus", ("a@b.fr",))


def houses(folder: Path, *lines: str) -> list[Institution | Skipped]:
    header = "id_fs,lib_fs,adresse,code_postal,lib_com,lib_departement"
    (folder / "france-services.csv").write_text("\n".join((header, *lines)), "utf-8")
    return list(FranceServices(folder).read())


def test_a_house_without_an_id_has_one_of_its_name_and_place_wherever_it_stands(
    tmp_path: Path,
) -> None:
    bus, hall = ",Bus,,01000,Exemple,Ain", ",Halle,,01000,Exemple,Ain"
    first, second = houses(tmp_path, bus, hall)
    assert isinstance(first, Institution)
    assert isinstance(second, Institution)
    assert first.id.startswith("fs-")
    assert first.id != second.id
    assert first.department == "Ain"
    assert houses(tmp_path, hall, bus) == [second, first]


def test_two_houses_of_one_id_are_told_apart_and_a_repeated_line_is_passed_over(
    tmp_path: Path,
) -> None:
    first, second, third = houses(tmp_path, "7,Bus,,,,", "7,Halle,,,,", "7,Halle,,,,")
    assert isinstance(first, Institution)
    assert isinstance(second, Institution)
    assert first.id == "7"
    assert second.id.startswith("fs-")
    assert third == Skipped(name="ligne 4", reason="maison déjà lue", error=True)


def test_missing_files_say_what_to_run(tmp_path: Path) -> None:
    for source in (Directory(tmp_path), FranceServices(tmp_path)):
        with pytest.raises(CorpusMissing):
            list(source.read())


@pytest.mark.parametrize("content", ['{"service": [{"nom": "a"}', '{"services": []}', "[]", ""])
def test_a_damaged_directory_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "local.json").write_text(content)
    with pytest.raises(CorpusError, match=r"local\.json"):
        list(Directory(tmp_path).read())
