"""Publications written for a test, as the publisher's XML and as the registry's JSON."""

from collections.abc import Callable
from pathlib import Path

import orjson
from lxml import etree

from albert.corpus.contract import Skipped
from albert.corpus.sources.service_public import read_sheet
from albert.domain.documents import Section, Sheet

DC = "http://purl.org/dc/elements/1.1/"
FOLDER = Path(__file__).parents[1] / "fixtures" / "service-public"


def publication(inside: str, *, sid: str = "F1", title: str = "Titre") -> str:
    """A publication with nothing but its title and what a test writes in it."""
    return (
        f'<Publication xmlns:dc="{DC}" ID="{sid}" type="Fiche">'
        f"<dc:title>{title}</dc:title>{inside}</Publication>"
    )


def as_registry(xml: bytes, sid: str) -> bytes:
    """The same tree as the registry package has it: blank texts are lost."""
    document = {"id": sid, "children": [_node(etree.fromstring(xml))]}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _node(element: etree._Element) -> dict[str, object]:
    children: list[dict[str, object]] = []
    texts = [element.text, *(child.tail for child in element)]
    for text, child in zip(texts, [*element, None], strict=True):
        if text and text.strip():
            children.append({"type": "text", "text": text})
        if child is not None:
            children.append(_node(child))
    node: dict[str, object] = {
        "type": "element",
        "name": str(element.tag).replace(f"{{{DC}}}", "dc:"),
    }
    if element.attrib:
        node["attributes"] = {str(k): str(v) for k, v in element.attrib.items()}
    if children:
        node["children"] = children
    return node


def written_xml(folder: Path, xml: str, sid: str = "F1") -> Path:
    path = folder / "particuliers" / f"{sid}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(xml, "utf-8")
    return path


def written_json(folder: Path, xml: str, sid: str = "F1") -> Path:
    path = folder / "particuliers" / f"{sid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_registry(xml.encode(), sid))
    return path


Write = Callable[[Path, str], Path]
BOTH: tuple[Write, Write] = (written_xml, written_json)


def sheet_of(*paths: Path) -> Sheet:
    [sheet] = [each for each in read_sheet(paths) if isinstance(each, Sheet)]
    return sheet


def skipped_of(*paths: Path) -> list[Skipped]:
    return [each for each in read_sheet(paths) if isinstance(each, Skipped)]


def lines(sheet: Sheet) -> list[str]:
    """All lines of a sheet's sections."""
    return [line for section in sheet.sections for line in section.text.split("\n")]


def section(sheet: Sheet, *headings: str) -> Section:
    [found] = [each for each in sheet.sections if each.headings == headings]
    return found
