"""What a container may use of its machine."""

from __future__ import annotations

import re
from collections.abc import Mapping

from albert.deploy.plan import Kind
from albert.deploy.variables import default
from albert.domain.errors import EnvironmentInvalid

_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)?[bkmg]", re.IGNORECASE)
_CPUS = re.compile(r"[0-9]+(\.[0-9]+)?")
_PROCESSES: Mapping[Kind, int] = {"api": 500, "llm": 4000, "embeddings": 500}
"""Threads count as processes."""


def limits(kind: Kind, values: Mapping[str, str]) -> dict[str, str | int]:
    """Return the limits of a service, in Compose's words; what is not said is not limited.

    Raises:
        EnvironmentInvalid
    """
    made: dict[str, str | int] = {}
    for word, shape, example in (("cpus", _CPUS, "1.5"), ("memory", _MEMORY, "4G")):
        name = f"{kind.upper()}_{word.upper()}"
        said = values.get(name) or default(name)
        if said and not (shape.fullmatch(said) and float(said.rstrip("bBkKmMgG"))):
            raise EnvironmentInvalid(
                f"{name} : « {said} » n'est pas une limite ; écrivez par exemple {example}."
            )
        if said:
            made[word] = said
    return made | {"pids": _PROCESSES[kind]}
