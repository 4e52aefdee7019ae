"""What a file of a repository is, judged by its first bytes and not by its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from albert.domain.errors import ModelFileInvalid
from albert.serving import gguf, safetensors

Kind = Literal["safetensors", "gguf", "pickle"]

PEEKED = 256
"""Bytes that are enough to judge by."""

INDEX = "model.safetensors.index.json"

_ZIP = b"PK\x03\x04"  # what torch.save has written since version 1.6: pickles in a zip
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
_POINTER = b"version https://git-lfs"


def pickled(start: bytes) -> bool:
    """Whether a file that begins so would be opened by pickle, of protocol 2 to 5 or in a zip."""
    return start[:4] == _ZIP or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05")


def judge_weights(name: str, start: bytes, *, allow_pickle: bool = False) -> Kind:
    """Say what weights are, from their first ``PEEKED`` bytes.

    Raises:
        ModelFileInvalid: they are not served, or only if ``allow_pickle``; the message says why.
    """
    if pickled(start):
        if allow_pickle:
            return "pickle"
        raise ModelFileInvalid(
            f"« {name} » est un fichier pickle : l'ouvrir exécute le programme qu'il contient. "
            "Prenez la version safetensors ou GGUF du modèle ; ou dites --allow-pickle, si vous "
            "faites confiance à son auteur."
        )
    if safetensors.looks_like(start):
        return "safetensors"
    gguf.check_start(Path(name), start)
    return "gguf"


def judge_companion(name: str, start: bytes) -> None:
    """See that a configuration, a tokenizer or a template is none of what its name would hide.

    Raises:
        ModelFileInvalid: it is a pickle, a page, a pointer, or JSON that is none.
    """
    opening = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    what = ""
    if pickled(start):
        what = "est un fichier pickle"
    elif opening.lower().startswith(_PAGES):
        what = "est une page web"
    elif opening.startswith(_POINTER):
        what = "n'est que l'adresse du fichier (pointeur Git LFS)"
    elif name.endswith(".json") and opening[:1] not in (b"{", b"["):
        what = "n'est pas du JSON"
    if what:
        raise ModelFileInvalid(
            f"« {name} » {what}, malgré son nom : vérifiez HF_ENDPOINT, ou prenez un autre modèle."
        )


def check_whole(folder: Path, names: Iterable[str], kind: Kind) -> None:
    """Check the weights of a folder, header by header, before anybody may be given them.

    Raises:
        ModelFileInvalid: one is cut, or a shard is missing.
    """
    if kind == "pickle":
        return
    held: dict[str, frozenset[str]] = {}
    for name in names:
        if kind == "safetensors":
            held[name] = safetensors.tensors(folder / name)
        elif not gguf.PART.search(name):  # a part's header alone is not a model's
            gguf.examine(folder / name, purpose="anything")
    if kind == "safetensors" and (folder / INDEX).exists():
        safetensors.check_index(folder / INDEX, held)
