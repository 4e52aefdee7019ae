"""The directory and the France services houses, on small files written by us."""

from pathlib import Path

import pytest

from albert.corpus.contract import Skipped
from albert.corpus.sources.directory import Directory
from albert.corpus.sources.france_services import FranceServices
from albert.domain.documents import Institution
from albert.domain.errors import CorpusError, CorpusMissing

FIXTURES = Path(__file__).parents[1] / "fixtures"


def test_a_service_has_its_addresses_once_and_one_without_a_name_is_named() -> None:
    assert list(Directory(FIXTURES / "directory").read()) == [
        Institution(
            name="Mairie d’Exemple",
            urls=("https://www.exemple.fr",),
            phones=("04 00 00 00 00",),
            mails=("mairie@exemple.fr",),
            kind="mairie",
        ),
        Skipped(name="local.json n° 2", reason="service sans nom", error=True),
        Institution(name="Ministère d'Exemple", kind="Ministère"),
    ]


def test_a_house_has_its_phone_and_mail_and_one_without_a_name_is_named() -> None:
    assert list(FranceServices(FIXTURES / "france-services").read()) == [
        Institution(
            name="France services d’Exemple",
            phones=("04 00 00 00 01",),
            mails=("exemple@france-services.gouv.fr",),
            kind="Espace labellisé",
        ),
        Skipped(name="ligne 3", reason="maison sans nom", error=True),
    ]


def test_semicolons_separate_columns_as_well(tmp_path: Path) -> None:
    (tmp_path / "france-services.csv").write_text("id_fs;lib_fs;mail\n1;Maison, bus;a@b.fr\n")
    (house,) = FranceServices(tmp_path).read()
    assert house == Institution(name="Maison, bus", mails=("a@b.fr",), kind="France services")


def test_missing_files_say_what_to_run(tmp_path: Path) -> None:
    for source in (Directory(tmp_path), FranceServices(tmp_path)):
        with pytest.raises(CorpusMissing):
            list(source.read())


@pytest.mark.parametrize("content", ['{"service": [{"nom": "a"}', '{"services": []}', "[]", ""])
def test_a_damaged_directory_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "local.json").write_text(content)
    with pytest.raises(CorpusError, match=r"local\.json"):
        list(Directory(tmp_path).read())
