"""What a container may use of its machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from albert.deploy.plan import Kind
from albert.deploy.variables import default
from albert.domain.errors import EnvironmentInvalid

_SHAPES = {
    "cpus": (re.compile(r"([0-9]*\.)?[0-9]+"), "1.5"),
    "memory": (re.compile(r"[0-9]+(\.[0-9]+)?(b|[kmg]b?)", re.IGNORECASE), "4G"),
}
_PROCESSES: Mapping[Kind, int] = {"api": 500, "llm": 4000, "embeddings": 500}
"""Threads count as processes."""


def limits(kind: Kind, values: Mapping[str, str]) -> dict[str, str | int]:
    """Return the limits of a service, in Compose's words; what is not said is not limited.

    Raises:
        EnvironmentInvalid
    """
    made: dict[str, str | int] = {}
    for word in _SHAPES:
        name = f"{kind.upper()}_{word.upper()}"
        if mistake := _wrong(values, name, word):
            raise EnvironmentInvalid(mistake)
        if said := values.get(name) or default(name):
            made[word] = said
    return made | {"pids": _PROCESSES[kind]}


def wrong_limits(values: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each limit that is none, the database's among them."""
    for kind in (*_PROCESSES, "postgres"):
        for word in _SHAPES:
            if mistake := _wrong(values, f"{kind.upper()}_{word.upper()}", word):
                yield mistake


def _wrong(values: Mapping[str, str], name: str, word: str) -> str:
    shape, example = _SHAPES[word]
    said = values.get(name, "")
    if not said or (shape.fullmatch(said) and float(said.rstrip("bBkKmMgG"))):
        return ""
    return f"{name} : « {said} » n'est pas une limite ; écrivez par exemple {example}."
