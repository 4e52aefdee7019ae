"""An environment by its name: the variables of its file."""

from __future__ import annotations

import re
from pathlib import Path

from albert.deploy.env_file import read
from albert.domain.errors import EnvironmentInvalid

FOLDER = Path("environments")
"""Of the environments' files, in the folder that deploys."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")


def environment_of(name: str, file: Path | None = None) -> dict[str, str]:
    """Return the variables of an environment, from ``file`` or from the one that bears its name.

    Raises:
        EnvironmentInvalid: the name is none, the file is wrong, or says another name in ``ENV``.
    """
    if not _NAME.fullmatch(name):
        raise EnvironmentInvalid(
            f"« {name} » ne peut nommer un environnement : minuscules, chiffres et tirets, "
            "comme « staging-dinum »."
        )
    path = file or FOLDER / f"{name}.env"
    values = read(path)
    said = values.get("ENV")
    if said and said != name:
        raise EnvironmentInvalid(f"{path} dit ENV={said}, non {name} : corrigez l'un des deux.")
    return {**values, "ENV": name}
