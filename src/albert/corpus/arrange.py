"""From what came (archive, folder, file) to the layout that readers know."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath

from albert.corpus.archive import extract, is_archive
from albert.corpus.catalog import Dataset
from albert.domain.documents import AUDIENCES, Audience
from albert.domain.errors import DownloadInvalid

_PUBLICATION = re.compile(r"[FNR]\d+\.(?:xml|json)")
_AUDIENCE = re.compile(rb"<Audience[^>]*>\s*(\w+)|service-public\.\w[\w.]*/(\w+)")
_SHORT: dict[str, Audience] = {
    "part": "particuliers",
    "pro": "professionnels",
    "asso": "associations",
}
_NOT_DATA = frozenset({"package.json", "package-lock.json", "index.json", "manifest.json"})


def arrange(dataset: Dataset, came: Path, data: Path, *, unpacked: Path, name: str = "") -> None:
    """Fill ``data`` from an archive, a folder or a file.

    ``unpacked`` is a folder to open archives in. ``name`` says which of the data
    set's files this is (an audience, ``local.json``), where it is known; otherwise
    it is told from the names and contents.

    Raises:
        DownloadInvalid: nothing of the data set is in it, or it is not safe to open.
    """
    publications = dataset.form == "publications"
    files = list(_files(dataset, came, unpacked))
    placed = 0
    for path, label in files:
        place = _audience(path, label, name) if publications else _file(dataset, label, name)
        target = data / place / path.name if publications else data / place
        if target.exists():
            raise DownloadInvalid(
                f"« {came.name} » contient deux fois « {target.name} » : donnez un dossier ou un "
                "fichier qui n'ait que les données voulues."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        _place(path, target, move=path.is_relative_to(unpacked))
        placed += 1
    if not placed:
        raise DownloadInvalid(
            f"« {came.name} » ne contient aucun fichier de « {dataset.name} » : vérifiez le chemin."
        )


def _files(dataset: Dataset, came: Path, unpacked: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that matter, each with the path it had where it comes from."""
    if came.is_dir():
        for path in sorted(came.rglob("*")):
            label = f"{came.name}/{path.relative_to(came).as_posix()}"
            if path.is_file() and _wanted(dataset, label):
                yield path, label
    elif is_archive(came):
        folder = unpacked / f"{len(list(unpacked.glob('*')))}"
        for path in extract(came, folder, lambda member: _wanted(dataset, member)):
            yield path, f"{came.name}/{path.relative_to(folder).as_posix()}"
    else:
        yield came, came.name


def _wanted(dataset: Dataset, member: str) -> bool:
    name = PurePosixPath(member).name
    if dataset.form == "publications":
        return _PUBLICATION.fullmatch(name) is not None
    if name in _NOT_DATA or name.startswith("."):
        return False
    if dataset.package is not None:  # a package holds other files: only the one named so
        return name in dataset.files
    return PurePath(name).suffix in {PurePath(each).suffix for each in dataset.files}


def _file(dataset: Dataset, label: str, name: str) -> str:
    if name in dataset.files:
        return name
    if dataset.form != "services":
        return dataset.files[0]
    national = re.search(r"national|refOrga|admin_Etat", label, re.IGNORECASE)
    return "national.json" if national else "local.json"


def _audience(path: Path, label: str, name: str) -> str:
    """Tell an audience by the folder, else the archive's name, else the sheet itself."""
    if name in AUDIENCES:
        return name
    parts = [part.lower() for part in PurePosixPath(label).parts]
    for part in reversed(parts):
        if part in AUDIENCES:
            return part
    for short, audience in _SHORT.items():
        if re.search(rf"(?<![a-z]){short}(?![a-z])", parts[0]):
            return audience
    return _told(path.read_bytes())


def _told(content: bytes) -> Audience:
    for match in _AUDIENCE.finditer(content):
        word = (match[1] or match[2]).decode(errors="replace").lower()
        for audience in AUDIENCES:
            if word.startswith(audience[:4]):
                return audience
    return "particuliers"


def _place(path: Path, target: Path, *, move: bool) -> None:
    if move:
        path.rename(target)
    else:
        shutil.copyfile(path, target)


def keep(name: str, old: Path, data: Path) -> None:
    """Carry over what did not change from the installed data, without copying its bytes."""
    source, target = old / name, data / name
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(source)
