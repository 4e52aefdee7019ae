"""What a repository holds at one commit, and which of its files serve a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from albert.domain.errors import ModelFileInvalid, ModelUnavailable
from albert.serving.gguf import PART
from albert.serving.store import MANIFEST

Form = Literal["", "gguf"]
"""What the engine reads: anything that is served, or GGUF alone."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of a repository. ``sha256`` is empty for what git itself keeps, known by its oid."""

    path: str
    size: int
    oid: str
    sha256: str = ""

    @property
    def id(self) -> str:
        """What names its bytes, and no others."""
        return self.sha256 or self.oid


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at a commit."""

    repo_id: str
    commit: str
    files: tuple[Remote, ...]

    def check_names(self) -> None:
        """Refuse a repository that names a file outside of its folder.

        Raises:
            ModelFileInvalid
        """
        for file in self.files:
            parts = file.path.split("/")
            if {"", ".", ".."} & set(parts) or _UNSAFE.search(file.path):
                raise ModelFileInvalid(
                    f"Le dépôt « {self.repo_id} » nomme un fichier hors de son dossier "
                    f"({file.path!r}) : ne l'employez pas, et signalez-le à qui l'héberge."
                )


@dataclass(frozen=True, slots=True)
class Choice:
    """The files to bring. ``doubtful`` weights are none or all; only their first bytes tell."""

    weights: tuple[Remote, ...]
    companions: tuple[Remote, ...]
    doubtful: bool = False

    @property
    def files(self) -> tuple[Remote, ...]:
        return (*self.companions, *self.weights)


_UNSAFE = re.compile(r"[\\:\x00-\x1f\x7f]")
_MODULE = re.compile(r"\d+_\w+/")  # 1_Pooling/, as sentence-transformers cuts a model
_COMPANION = re.compile(
    r"[^/]+\.json|prompt_config\.ya?ml|(vocab|merges)\.txt|[^/]+\.(model|tiktoken|spm)|bpe\.codes"
)
_TEMPLATE = re.compile(r"\.(jinja2?|j2)$")
_OLD_WEIGHTS = re.compile(r"[^/]+\.(bin|pt|pth|ckpt|pkl|pickle)")
_NOT_WEIGHTS = re.compile(r"(training_args|optimizer|scheduler|rng_state)[^/]*")
_PROJECTOR = "mmproj"  # what lets a model see; not a model


def choose(listing: Listing, *, file: str = "", form: Form = "") -> Choice:
    """Choose the files that serve the model, by their names.

    Raises:
        ModelUnavailable: there is none, or several and nothing says which.
        ModelFileInvalid: a name leads out of the repository.
    """
    listing.check_names()
    weights, doubtful = _named(listing, file), bool(file)
    if not weights:
        weights, doubtful = _weights(listing, form)
    chosen = {one.path for one in weights}
    companions = (one for one in listing.files if _companion(one.path) and one.path not in chosen)
    return Choice(_sorted(weights), _sorted(companions), doubtful)


def _named(listing: Listing, file: str) -> Sequence[Remote]:
    """Return the file that was asked for, with its other parts if it was cut."""
    if not file:
        return ()
    found = [one for one in listing.files if one.path == file]
    if not found:
        have = _told(one.path for one in listing.files if _is_weights(one.path))
        raise ModelUnavailable(
            f"Le dépôt « {listing.repo_id} » n'a pas de fichier « {file} ». Ses poids : {have}."
        )
    return _groups(listing.files).get(_stem(file), found)


def _weights(listing: Listing, form: Form) -> tuple[Sequence[Remote], bool]:
    """Return the weights that nobody named, and whether they are to be judged before."""
    groups = _groups(listing.files)
    tensors = [] if form == "gguf" else _safetensors(listing.files)
    if tensors:
        return tensors, False
    if len(groups) == 1:
        return next(iter(groups.values())), False
    if groups:
        names = _told(sorted(parts[0].path for parts in groups.values()))
        raise ModelUnavailable(
            f"Le dépôt « {listing.repo_id} » a plusieurs fichiers GGUF : dites lequel, par "
            f"--file ou « file » dans la table ({names})."
        )
    old = [one for one in listing.files if _is_old(one.path)]
    if old and not (form == "gguf" and _safetensors(listing.files)):
        return old, True
    wanted = "de poids GGUF" if form == "gguf" else "de poids safetensors ou GGUF"
    raise ModelUnavailable(
        f"Le dépôt « {listing.repo_id} » n'a pas {wanted} : choisissez-en un qui en a."
    )


def _groups(files: Iterable[Remote]) -> dict[str, list[Remote]]:
    """Gather GGUF files by model: one, or the parts of one that was cut."""
    groups: dict[str, list[Remote]] = {}
    for file in files:
        if file.path.lower().endswith(".gguf") and _PROJECTOR not in file.path.lower():
            groups.setdefault(_stem(file.path), []).append(file)
    return {stem: sorted(parts, key=lambda one: one.path) for stem, parts in groups.items()}


def _stem(path: str) -> str:
    return PART.sub("", path)


def _safetensors(files: Iterable[Remote]) -> list[Remote]:
    """Leave out the copy that Mistral's own programs read (``consolidated…``)."""
    found = [one for one in files if one.path.endswith(".safetensors") and _at_home(one.path)]
    kept = [one for one in found if not one.path.startswith("consolidated")]
    return kept or found


def _at_home(path: str) -> bool:
    """Whether a file is at the top, or in a module's folder: not an export for other programs."""
    return "/" not in path or bool(_MODULE.match(path))


def _companion(path: str) -> bool:
    if path == MANIFEST or path.endswith((".bin.index.json", ".h5.index.json")):
        return False
    name = _MODULE.sub("", path, count=1)
    return bool(_COMPANION.fullmatch(name) or _TEMPLATE.search(path))


def _is_old(path: str) -> bool:
    return bool(_OLD_WEIGHTS.fullmatch(path)) and not _NOT_WEIGHTS.fullmatch(path)


def _is_weights(path: str) -> bool:
    return path.lower().endswith((".gguf", ".safetensors")) or _is_old(path)


def _told(names: Iterable[str]) -> str:
    return ", ".join(names) or "aucun"


def _sorted(files: Iterable[Remote]) -> tuple[Remote, ...]:
    return tuple(sorted(files, key=lambda one: one.path))
