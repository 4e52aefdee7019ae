"""Judge a folder of safetensors by its first bytes, before an engine is started for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from albert.domain.errors import ModelFileInvalid

_LONGEST_HEADER = 100 << 20  # the format's own limit
_INDEX = "model.safetensors.index.json"
_AGAIN = "téléchargez de nouveau le modèle"


def examine(folder: Path) -> None:
    """See that the folder has a configuration, and weights that are whole.

    Raises:
        ModelFileInvalid: it cannot be served; the message says what it is and what to do.
    """
    try:
        if not folder.is_dir():
            raise _invalid(folder, _no_folder(folder))
        _read_object(folder / "config.json", "ne dit pas comment lire le modèle")
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise _invalid(folder, _without_safetensors(folder))
        for file in (*files, *_expected(folder)):
            _check(file)
    except OSError as error:
        reason = f"ne peut pas être lu ({error.strerror}) : vérifiez ses droits"
        raise _invalid(folder, reason) from error


def _no_folder(path: Path) -> str:
    if not path.exists():
        return "n'existe pas : vérifiez le chemin, ou téléchargez le modèle"
    if path.suffix == ".gguf":
        return "est un fichier GGUF : servez-le avec « driver »: « llama.cpp »"
    return "est un fichier : donnez le dossier du modèle, avec config.json et les safetensors"


def _without_safetensors(folder: Path) -> str:
    kinds = {path.suffix for path in folder.iterdir()}
    if ".gguf" in kinds:
        return "ne contient que du GGUF : servez-le avec « driver »: « llama.cpp »"
    if kinds & {".bin", ".pt", ".pth", ".pkl"}:
        return (
            "n'a que des poids PyTorch (pickle), qui peuvent exécuter un programme : "
            "prenez la version safetensors du même modèle"
        )
    return f"ne contient aucun poids safetensors : {_AGAIN}"


def _expected(folder: Path) -> Iterator[Path]:
    """Yield the files among which the index, where there is one, divides the weights."""
    if (index := folder / _INDEX).exists():
        places = _read_object(index, "ne dit pas où sont les poids").get("weight_map")
        if not isinstance(places, dict):
            raise _invalid(index, f"ne dit pas où sont les poids : {_AGAIN}")
        yield from (folder / str(name) for name in sorted(set(map(str, places.values()))))


def _check(file: Path) -> None:
    """Raise unless the file's header is one, and ends where the file does."""
    if not file.exists():
        raise _invalid(file, f"manque : {_AGAIN}")
    size = file.stat().st_size
    with file.open("rb") as octets:
        length = int.from_bytes(octets.read(8), "little")
        if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
            raise _invalid(file, f"n'est pas un fichier safetensors entier : {_AGAIN}")
        header = octets.read(length)
    try:
        tensors = [
            about["data_offsets"][1]
            for name, about in json.loads(header).items()
            if name != "__metadata__"
        ]
        whole = 8 + length + max(tensors, default=0) == size
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise _invalid(file, f"n'est pas un fichier safetensors : {_AGAIN}") from None
    if not whole:
        raise _invalid(file, f"est incomplet : {_AGAIN}")


def _read_object(file: Path, lack: str) -> dict[str, object]:
    try:
        read = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise _invalid(file, f"manque : {_AGAIN}") from None
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise _invalid(file, f"{lack} : {_AGAIN}")
    return read


def _invalid(path: Path, sentence: str) -> ModelFileInvalid:
    return ModelFileInvalid(f"« {path} » {sentence}.")
