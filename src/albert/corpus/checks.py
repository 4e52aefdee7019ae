"""Whether what came is what its publisher promises, before it replaces what we had."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import orjson

from albert.corpus.catalog import Dataset, Form
from albert.corpus.json_stream import NotTheForm, objects
from albert.domain.errors import DownloadInvalid


def check(dataset: Dataset, data: Path, *, every: bool) -> dict[str, int]:
    """Return how many files lie in each folder of ``data``, ``""`` for the top one.

    ``every`` asks for all that the data set has (all audiences, both directories);
    otherwise one of them is enough.

    Raises:
        DownloadInvalid: something is missing, empty, or of another form; it is named.
    """
    found = [data / name for name in dataset.files if (data / name).exists()]
    missing = [name for name in dataset.files if not (data / name).exists()]
    if not found or (every and missing):
        raise DownloadInvalid(f"Il manque « {missing[0]} » dans « {dataset.name} » : {_ADVICE}")
    for path in found:
        if path.is_file() and path.stat().st_size == 0:
            raise _invalid(path, "est vide")
        _CHECKS[dataset.form](path)
    return _counts(data)


_ADVICE = "prenez les données chez leur éditeur, puis recommencez."


def _invalid(path: Path, reason: str) -> DownloadInvalid:
    return DownloadInvalid(f"« {path.name} » {reason} : {_ADVICE}")


def _counts(data: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path in sorted(data.rglob("*")):
        if path.is_file():
            folder = path.parent.relative_to(data).as_posix()
            key = "" if folder == "." else folder
            counts[key] = counts.get(key, 0) + 1
    return counts


def _publications(folder: Path) -> None:
    """At least one F sheet is a publication; a malformed one among thousands is the reader's."""
    sheets = sorted(folder.glob("F*.*"))
    if not any(is_publication(path.name, path.read_bytes()) for path in sheets):
        raise _invalid(folder, "ne contient aucune fiche F… de racine Publication")


def is_publication(name: str, content: bytes) -> bool:
    """Whether a file of that name holds one publication, as XML or as its JSON tree."""
    if name.endswith(".json"):
        return "Publication" in _children(content)
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(content, parser).tag == "Publication"
    except etree.XMLSyntaxError:
        return False


def _children(content: bytes) -> Iterator[object]:
    try:
        tree = orjson.loads(content)
    except orjson.JSONDecodeError:
        return
    children = tree.get("children") if isinstance(tree, dict) else None
    for child in children if isinstance(children, list) else ():
        if isinstance(child, dict):
            yield child.get("name")


def _listed(path: Path, keys: tuple[str, ...]) -> None:
    try:
        records = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise _invalid(path, "n'est pas du JSON lisible") from error
    if not isinstance(records, list) or not records:
        raise _invalid(path, "n'est pas une liste JSON")
    if not any(isinstance(each, dict) and all(key in each for key in keys) for each in records):
        raise _invalid(path, f"n'a aucun élément avec les champs {', '.join(keys)}")


def _services(path: Path) -> None:
    try:
        named = sum("nom" in service for service in objects(path, "service"))
    except NotTheForm as error:
        raise _invalid(path, 'n\'est pas de la forme {"service": […]}') from error
    if not named:
        raise _invalid(path, "ne contient aucun service")


def _table(path: Path) -> None:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = [line for line, _ in zip(file, range(2), strict=False)]
    except UnicodeDecodeError as error:
        raise _invalid(path, "n'est pas un CSV en UTF-8") from error
    header = next(csv.reader(start, delimiter=delimiter(start[0])), [])
    if "lib_fs" not in header or len(start) < 2:
        raise _invalid(path, "n'a pas de colonne lib_fs, ou aucune ligne")


def delimiter(header: str) -> str:
    """Return what separates the columns of a CSV file, told by its first line."""
    return ";" if header.count(";") > header.count(",") else ","


_CHECKS: Mapping[Form, Callable[[Path], None]] = {
    "publications": _publications,
    "sheets": lambda path: _listed(path, ("pubId", "sections")),
    "experiences": lambda path: _listed(path, ("id_experience", "description")),
    "services": _services,
    "table": _table,
}
