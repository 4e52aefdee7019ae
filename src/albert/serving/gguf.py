"""Judge a model file by its first bytes, before a server is started for it."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from albert.domain.errors import ModelFileInvalid
from albert.domain.mishaps import reason

SMALLEST = 4096
"""Bytes under which no language model fits, vocabulary included."""

PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
"""How the name of one part ends, of a model that llama.cpp's gguf-split cut in several."""

_VERSIONS = (2, 3)  # https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
_WAY_OUT = "téléchargez la version GGUF du même modèle"
_EARLIER = {b"lmgg": "GGML", b"fmgg": "GGMF", b"tjgg": "GGJT", b"algg": "GGLA"}
"""Formats before August 2023, by their first bytes: a little-endian 32-bit ``'ggml'`` and so on."""

_STRANGERS = (
    (b"<", "est une page web, pas un modèle"),
    (b"version https://git-lfs", "n'est que l'adresse du modèle (pointeur Git LFS)"),
    (b"PK\x03\x04", "est une archive zip ou un modèle PyTorch"),
    (b"\x1f\x8b", "est une archive compressée"),
    (b"%PDF", "est un document PDF"),
    (b"{", "est un fichier JSON"),
)
_EMBEDDING = {"bert", "nomic-bert", "jina-bert-v2", "t5encoder"}
_PARTS = {"clip", "whisper"}
Purpose = Literal["chat", "vectors", "anything"]
_STRANGE: Mapping[Purpose, set[str]] = {
    "chat": _EMBEDDING | _PARTS,
    "vectors": _PARTS,
    "anything": set(),
}
"""Architectures that do something else."""

# sizes of GGUF's scalar types by their number; 8 is a string, 9 an array
_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class GGUF:
    """What the file says of itself; empty or 0 where it does not."""

    path: Path
    version: int
    architecture: str = ""
    context: int = 0
    """Tokens of the longest text the model was trained on."""
    chat_template: str = ""
    pooled: bool = False
    """It says how the vectors of tokens become that of a text."""


def examine(path: Path, *, purpose: Purpose = "chat") -> GGUF:
    """Read the header of a GGUF file, without its weights; ``purpose`` says what it must do.


    A file cut after the place of its last tensor passes: the engine finds that out.

    Raises:
        ModelFileInvalid: it cannot be served; the message says what it is and what to do.
    """
    if path.is_dir():
        raise _invalid(path, "est un dossier : donnez le fichier .gguf qu'il contient")
    try:
        with path.open("rb") as file:
            start = file.read(256)
            check_start(path, start)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                return _header(path, octets, purpose)
    except FileNotFoundError:
        raise _invalid(path, "n'existe pas : vérifiez le chemin") from None
    except OSError as error:
        told = f"ne peut pas être lu ({reason(error)}) : vérifiez ses droits"
        raise _invalid(path, told) from error
    except (struct.error, IndexError):
        raise _invalid(path, f"est incomplet : {_WAY_OUT} de nouveau") from None


def check_start(path: Path, start: bytes) -> None:
    """Judge a file by its first 256 bytes.

    Raises:
        ModelFileInvalid: they are not those of a GGUF file; the message says what they are.
    """
    if not start:
        raise _invalid(path, f"est vide : {_WAY_OUT}")
    if (earlier := _EARLIER.get(start[:4])) is not None:
        raise _invalid(
            path,
            f"est au format {earlier}, abandonné en 2023 : convertissez-le en GGUF "
            f"avec les outils de llama.cpp, ou {_WAY_OUT}",
        )
    if start[:4] == b"GGUF":
        return
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 30:
        raise _invalid(path, f"est au format safetensors : convertissez-le en GGUF, ou {_WAY_OUT}")
    text = start.lstrip()
    for opening, what in _STRANGERS:
        if text.startswith(opening):
            raise _invalid(path, f"{what} : {_WAY_OUT}")
    raise _invalid(path, f"n'est pas un modèle GGUF : {_WAY_OUT}")


def _header(path: Path, octets: mmap.mmap, purpose: Purpose) -> GGUF:
    """Walk metadata and tensors; ``struct.error`` or ``IndexError`` where the file stops short."""
    version, tensors, entries = struct.unpack_from("<IQQ", octets, 4)
    if version not in _VERSIONS:
        raise _invalid(
            path,
            f"est un GGUF de version {version}, qu'Albert ne sait pas servir "
            f"(2 ou 3) : {_WAY_OUT} à jour",
        )
    reader = _Reader(octets, 24)
    about = reader.metadata(entries)
    architecture = str(about.get("general.architecture", ""))
    strange = architecture in _STRANGE[purpose]
    if strange or about.get("general.type", "model") != "model" or not tensors:
        what = "de vecteurs" if purpose == "vectors" else "de conversation"
        raise _invalid(path, f"n'est pas un modèle {what} : choisissez-en un autre")
    last = reader.last_tensor(tensors)
    if len(octets) < max(SMALLEST, reader.place + last):
        raise _invalid(path, f"est incomplet : {_WAY_OUT} de nouveau")
    context = about.get(f"{architecture}.context_length", 0)
    return GGUF(
        path=path,
        version=version,
        architecture=architecture,
        context=context if isinstance(context, int) else 0,
        pooled=f"{architecture}.pooling_type" in about,
        chat_template=str(about.get("tokenizer.chat_template", "")),
    )


class _Reader:
    """A place in the file; every length is checked against its end before it is believed."""

    def __init__(self, octets: mmap.mmap, place: int) -> None:
        self._octets = octets
        self.place = place

    def metadata(self, entries: int) -> dict[str, str | int]:
        """Return the strings and 32-bit unsigned numbers; pass over the rest."""
        found: dict[str, str | int] = {}
        for _ in range(entries):
            key = self._string()
            kind = self._number("<I")
            if kind == _STRING:
                found[key] = self._string()
            elif kind == 4:
                found[key] = self._number("<I")
            else:
                self._pass_over(kind)
        return found

    def last_tensor(self, tensors: int) -> int:
        """Return the offset, within the weights, at which the last tensor begins."""
        last = 0
        for _ in range(tensors):
            self._string()
            dimensions = self._number("<I")
            self._skip(8 * dimensions + 4)
            last = max(last, self._number("<Q"))
        return last

    def _pass_over(self, kind: int) -> None:
        if kind == _STRING:
            self._skip(self._number("<Q"))
        elif kind == _ARRAY:
            inner, length = self._number("<I"), self._number("<Q")
            if inner in _SCALARS:
                self._skip(_SCALARS[inner] * length)
            else:
                for _ in range(length):
                    self._pass_over(inner)
        elif kind in _SCALARS:
            self._skip(_SCALARS[kind])
        else:
            raise IndexError(kind)

    def _string(self) -> str:
        length = self._number("<Q")
        start = self.place
        self._skip(length)
        return self._octets[start : self.place].decode("utf-8", "replace")

    def _number(self, form: str) -> int:
        (number,) = struct.unpack_from(form, self._octets, self.place)
        self.place += struct.calcsize(form)
        return int(number)

    def _skip(self, octets: int) -> None:
        self.place += octets
        if self.place > len(self._octets):
            raise IndexError(self.place)


def _invalid(path: Path, sentence: str) -> ModelFileInvalid:
    return ModelFileInvalid(f"« {path} » {sentence}.")
