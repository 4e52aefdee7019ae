"""Which files give a sheet, which do not and why: none of them stops the others."""

import json
from pathlib import Path

import pytest
from publications import FOLDER, publication, skipped_of, written_xml

from albert.corpus.contract import Skipped
from albert.corpus.sources.service_public import ServicePublic
from albert.corpus.sources.service_public.source import SERVICE_ONLY, STRUCTURE_ONLY
from albert.domain.errors import CorpusMissing

GOOD = publication("<Texte><Paragraphe>Bonjour.</Paragraphe></Texte>", sid="F9")
BILLION_LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


def registry(children: str, **attributes: object) -> str:
    return (
        '{"children": [{"type": "element", "name": "Publication", "attributes": '
        f'{json.dumps(attributes)}, "children": {children}}}]}}'
    )


def nested(depth: int) -> str:
    return '[{"type": "element", "name": "Texte", "children": ' * depth + "[]" + "}]" * depth


def test_themes_and_services_give_no_sheet_and_their_reason_is_said() -> None:
    skipped = [each for each in ServicePublic(FOLDER / "xml").read() if isinstance(each, Skipped)]
    assert skipped == [
        Skipped(name="particuliers/N2001.xml", reason=STRUCTURE_ONLY),
        Skipped(name="particuliers/R3001.xml", reason=SERVICE_ONLY),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("F1.xml", "<Publication ID='F1'><Texte></Publication>", "XML mal formé : "),
        ("F1.xml", "", "XML mal formé : "),
        ("F1.xml", "<Autre ID='F1'/>", "la racine est 'Autre', et non « Publication »"),
        ("F1.xml", "<!DOCTYPE Publication SYSTEM 'x.dtd'><Publication ID='F1'/>", "XML refusé : "),
        ("F1.xml", f"{BILLION_LAUGHS}<Publication ID='F1'>&c;</Publication>", "XML refusé : "),
        ("F1.xml", "<Publication ID='F2'/>", "l'identifiant 'F2' n'est pas celui du fichier"),
        ("F1.json", "{", "JSON illisible : "),
        ("F1.json", "[]", "JSON illisible : "),
        ("F1.json", '{"children": []}', "JSON illisible : "),
        ("F1.json", '{"children": [null]}', "JSON illisible : "),
        ("F1.json", '{"children": [{"name": "Autre"}]}', "la racine est 'Autre'"),
        ("F1.json", registry("[]", ID="F2"), "l'identifiant 'F2' n'est pas celui du fichier"),
        ("F1.json", registry("[]"), "l'identifiant '' n'est pas celui du fichier"),
        ("F1.json", registry("null", ID="F1"), "JSON illisible : "),
        ("F1.json", registry("[]", ID=1), "JSON illisible : "),
        ("F1.json", registry("[1]", ID="F1"), "JSON illisible : "),
        ("F1.json", registry('[{"type": "element"}]', ID="F1"), "JSON illisible : "),
        ("F1.json", registry('[{"type": "text"}]', ID="F1"), "JSON illisible : "),
        ("F1.json", registry(nested(300), ID="F1"), "JSON illisible : "),
        ("F1.json", registry(nested(2000), ID="F1"), "JSON illisible : "),
    ],
)
def test_a_malformed_file_is_named_and_the_others_are_read(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    written_xml(tmp_path, GOOD, "F9")
    (tmp_path / "particuliers" / name).write_text(content, "utf-8")
    bad, good = ServicePublic(tmp_path).read()
    assert isinstance(bad, Skipped)
    assert (bad.name, bad.error) == (f"particuliers/{name}", True)
    assert bad.reason.startswith(reason)
    assert not isinstance(good, Skipped)
    assert good.id == "F9"


def test_an_entity_never_brings_a_file_of_the_machine_in(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("mot de passe", "utf-8")
    declared = f"<!DOCTYPE x [<!ENTITY s SYSTEM '{secret.as_uri()}'>]>"
    path = written_xml(
        tmp_path, declared + publication("<Texte><Paragraphe>&s;</Paragraphe></Texte>")
    )
    [refused] = skipped_of(path)
    assert refused.reason == "XML refusé : il déclare une DTD"


def test_one_malformed_edition_leaves_the_others(tmp_path: Path) -> None:
    written_xml(tmp_path, GOOD, "F9")
    (tmp_path / "associations").mkdir()
    (tmp_path / "associations" / "F9.xml").write_text("<", "utf-8")
    sheet, bad = ServicePublic(tmp_path).read()
    assert not isinstance(sheet, Skipped)
    assert sheet.audiences == ("particuliers",)
    assert isinstance(bad, Skipped)
    assert bad.name == "associations/F9.xml"


def test_in_a_flat_folder_the_audience_is_what_the_sheet_says(tmp_path: Path) -> None:
    said = publication("<Audience>Associations</Audience>", sid="F1")
    (tmp_path / "F1.xml").write_text(said, "utf-8")
    [sheet] = ServicePublic(tmp_path).read()
    assert not isinstance(sheet, Skipped)
    assert sheet.audiences == ("associations",)
    assert sheet.url == "https://www.service-public.fr/associations/vosdroits/F1"


def test_files_that_are_not_publications_are_not_looked_at(tmp_path: Path) -> None:
    written_xml(tmp_path, GOOD, "F9")
    for name in ("index.xml", "F.xml", "arborescence.json", "F9.txt"):
        (tmp_path / "particuliers" / name).write_text("?", "utf-8")
    assert list(ServicePublic(tmp_path).files()) == ["F9"]


def test_a_folder_without_sheets_says_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match="albert corpus fetch"):
        list(ServicePublic(tmp_path).read())
