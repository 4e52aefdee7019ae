"""Judge the folder of a model, configuration and weights, before an engine is started for it."""

from __future__ import annotations

import json
from pathlib import Path

from albert.domain.errors import ModelFileInvalid
from albert.domain.mishaps import reason
from albert.serving.weights import check_whole

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
        files = sorted(file.name for file in folder.glob("*.safetensors"))
        if not files:
            raise _invalid(folder, _without_safetensors(folder))
        check_whole(folder, files, "safetensors")
    except OSError as error:
        told = f"ne peut pas être lu ({reason(error)}) : vérifiez ses droits"
        raise _invalid(folder, told) from error


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
