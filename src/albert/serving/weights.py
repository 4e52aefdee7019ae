"""Where the weights of a model lie on this machine."""

from __future__ import annotations

from pathlib import Path

from albert.domain.errors import ModelFileInvalid
from albert.routing.table import RoutedModel


def located(model: RoutedModel, storage: Path) -> Path:
    """Return the file of ``model``, or the folder of its repository under ``storage``.

    Raises:
        ModelFileInvalid: it is not there.
    """
    file = Path(model.file).expanduser()
    if file.is_absolute() or not model.hf_repo_id:
        return file
    organisation, _, name = model.hf_repo_id.rpartition("/")
    places = (storage / f"{organisation}--{name}", storage / organisation / name)
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise ModelFileInvalid(
            f"Le modèle « {model.hf_repo_id} » n'est pas sous « {storage} » : "
            f"lancez « albert models download --hf-repo-id {model.hf_repo_id} »."
        )
    if ".." in file.parts:
        raise ModelFileInvalid(
            f"« {model.file} » n'est pas dans le dépôt « {model.hf_repo_id} » : corrigez file."
        )
    return folder / file
