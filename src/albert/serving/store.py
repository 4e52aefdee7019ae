"""The models on disk: a folder each, with a manifest that says it is whole."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from albert.domain.errors import (
    HomeError,
    HomeTooNew,
    ModelFileInvalid,
    ModelNotDownloaded,
    RequestError,
)
from albert.domain.folders import alone, take_place
from albert.routing.table import RoutedModel
from albert.serving.weights import PEEKED, Kind, check_whole, judge_weights

FORMAT = 1
MANIFEST = "albert-manifest.json"
ASIDE = ".partial"
"""The folder of what is being downloaded; nothing in it is ever served."""

_REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}(/[A-Za-z0-9_][\w.-]{0,95})?", re.ASCII)


class Kept(BaseModel):
    """A file of a model. ``path`` is within its folder; ``oid`` is what git calls its bytes."""

    model_config = ConfigDict(frozen=True)

    path: str
    size: int
    sha256: str
    oid: str = ""


class Manifest(BaseModel):
    """What a model's folder holds, and what was asked for; written last."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    repo_id: str
    revision: str
    """As it was asked for; empty for the repository's main one."""
    file: str
    """As it was asked for; empty for the repository's weights, whichever they are."""
    commit: str
    fetched_at: str
    kind: Kind
    weights: tuple[str, ...]
    """Their paths, sorted."""
    files: tuple[Kept, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Stored:
    """A model on disk."""

    folder: Path
    manifest: Manifest

    @property
    def path(self) -> Path:
        """What an engine is given: a GGUF file, or the folder."""
        if self.manifest.kind == "gguf":
            return self.folder / self.manifest.weights[0]
        return self.folder

    def missing(self) -> str:
        """Return the first file that is not there at its size, or an empty string."""
        for file in self.manifest.files:
            path = self.folder / file.path
            if not path.is_file() or path.stat().st_size != file.size:
                return file.path
        return ""

    def check(self) -> None:
        """See that it is whole, as its manifest and its headers say.

        Raises:
            ModelFileInvalid: a file is missing, cut, or no longer what it was.
        """
        if missing := self.missing():
            raise ModelFileInvalid(
                f"« {self.folder / missing} » manque ou est coupé : "
                "téléchargez le modèle de nouveau, par « albert models download … --force »."
            )
        check_whole(self.folder, self.manifest.weights, self.manifest.kind)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model goes, and what stands aside while it comes."""

    storage: Path
    key: str

    @property
    def folder(self) -> Path:
        return self.storage / self.key

    @property
    def partial(self) -> Path:
        """Files under way; they outlive a kill, to be resumed."""
        return self.storage / ASIDE / self.key

    @property
    def fresh(self) -> Path:
        return self.storage / ASIDE / f"{self.key}.new"

    @property
    def _old(self) -> Path:
        return self.storage / ASIDE / f"{self.key}.old"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to write, and clear what a killed writer left.

        Raises:
            HomeBusy: another process is downloading this very model.
        """
        message = f"Un autre processus télécharge déjà « {self.key} » : attendez qu'il ait fini."
        with alone(self.storage / ASIDE / f"{self.key}.lock", message):
            if not self.folder.exists() and self._old.exists():
                self._old.rename(self.folder)
            self.clear()
            yield

    def clear(self, *, downloads: bool = False) -> None:
        """Remove what stands aside; what was downloaded of it too, if it is of no more use."""
        for leftover in (self._old, self.fresh, *((self.partial,) if downloads else ())):
            if leftover.exists():
                shutil.rmtree(leftover)

    def install(self, manifest: Manifest) -> None:
        """Put ``fresh`` in the place of ``folder`` in one step. Wants the lock.

        Raises:
            HomeError: a folder that we did not write stands there.
        """
        if self.folder.exists() and not (self.folder / MANIFEST).exists():
            raise HomeError(
                f"« {self.folder} » n'a pas été écrit par Albert : déplacez-le, ou choisissez un "
                "autre dossier (STORAGE_PATH)."
            )
        text = manifest.model_dump_json(indent=1)
        (self.fresh / MANIFEST).write_text(text + "\n", "utf-8")
        take_place(self.fresh, self.folder, self._old)
        self.clear(downloads=True)


class ModelStore:
    """The models of one folder. Reads what ``serving.downloads`` writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, repo_id: str, revision: str = "", file: str = "") -> Place:
        """Return where a model goes: no two that are asked for differently share a folder.

        Raises:
            RequestError: no repository bears such a name.
        """
        if not _REPOSITORY.fullmatch(repo_id) or "--" in repo_id or ".." in repo_id:
            raise RequestError(
                f"« {repo_id} » n'est pas le nom d'un dépôt : il faut organisation/modèle."
            )
        key = repo_id.replace("/", "--")  # no repository has two dashes in its name
        key += f"@{quote(revision, safe='')}" if revision else ""
        key += f"+{quote(file, safe='')}" if file else ""
        return Place(self.folder, key)

    def list(self) -> list[Stored]:
        """Return what is on disk, in the order of names.

        Raises:
            HomeTooNew, ModelFileInvalid: a manifest cannot be read.
        """
        if not self.folder.is_dir():
            return []
        folders = sorted(path for path in self.folder.iterdir() if path.name != ASIDE)
        found = (self.read(folder) for folder in folders)
        return [stored for stored in found if stored is not None]

    def read(self, folder: Path) -> Stored | None:
        """Return the model of a folder, or ``None`` if it has no manifest.

        Raises:
            HomeTooNew: a later version of Albert wrote it.
            ModelFileInvalid: the manifest is damaged.
        """
        path = folder / MANIFEST
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValidationError:
            raise ModelFileInvalid(
                f"Le manifeste « {path} » est abîmé : téléchargez le modèle de nouveau, par "
                "« albert models download »."
            ) from None
        if manifest.format > FORMAT:
            raise HomeTooNew
        return Stored(folder, manifest)

    def held(self, repo_id: str, revision: str = "", file: str = "") -> Stored | None:
        """Return what was downloaded under these very words.

        A file is also found where the whole of its repository was downloaded.
        """
        stored = self.read(self.place(repo_id, revision, file).folder)
        if stored is None and file:
            whole = self.read(self.place(repo_id, revision).folder)
            return whole if whole is not None and file in whole.manifest.weights[:1] else None
        return stored

    def locate(self, repo_id: str, revision: str = "", file: str = "") -> Stored | None:
        """Return what serves when that is asked for: without a file, the only one that is here."""
        if (stored := self.held(repo_id, revision, file)) is not None or file:
            return stored
        asked = (repo_id, revision)
        found = [s for s in self.list() if (s.manifest.repo_id, s.manifest.revision) == asked]
        return found[0] if len(found) == 1 else None

    def find(self, model: RoutedModel) -> Path:
        """Return the weights of a model of the table: a GGUF file, or a folder.

        Raises:
            ModelNotDownloaded: the message says how to download it.
            ModelFileInvalid: what is there is not whole.
        """
        if not model.hf_repo_id:
            return _own(Path(model.file).expanduser())
        stored = self.locate(model.hf_repo_id, model.revision, model.file)
        if stored is None:
            raise ModelNotDownloaded(
                f"Le modèle « {model.name} » n'est pas dans « {self.folder} » : téléchargez-le, "
                f"par « albert models download {model.name} »."
            )
        stored.check()
        return stored.path


def _own(path: Path) -> Path:
    """Return a file or a folder of the operator's own, once judged by its first bytes."""
    if not path.exists():
        raise ModelFileInvalid(f"« {path} » n'existe pas : corrigez « file » dans la table.")
    if path.is_file():
        with path.open("rb") as file:
            judge_weights(path.name, file.read(PEEKED))
        return path
    names = sorted(one.name for one in path.glob("*.safetensors"))
    if not names:
        raise ModelFileInvalid(f"« {path} » n'a pas de poids safetensors : donnez-en un qui en a.")
    check_whole(path, names, "safetensors")
    return path
