"""What engines call the fields of a request that have another name there, or none."""

from __future__ import annotations

from collections.abc import Mapping

from albert.asgi.problems import invalid
from albert.routing.table import DriverName

RENAMED: Mapping[DriverName, Mapping[str, str]] = {
    "llama.cpp": {"repetition_penalty": "repeat_penalty"},
}
LACKING: Mapping[DriverName, frozenset[str]] = {
    "llama.cpp": frozenset(("length_penalty", "stop_token_ids")),
}
"""It would leave these aside without a word."""


def translated(
    driver: DriverName, said: Mapping[str, object], defaults: Mapping[str, object]
) -> dict[str, object]:
    """Return a request's fields as the engine calls them, over those of ``defaults`` that it has.

    Raises:
        Problem: 400, the request says what the engine lacks.
    """
    lacking = LACKING.get(driver, frozenset())
    if missing := sorted(lacking & said.keys()):
        name = missing[0]
        raise invalid(f"« {name} » : {driver} ne le connaît pas, retirez-le.", name)
    fields = {name: value for name, value in defaults.items() if name not in lacking} | dict(said)
    names = RENAMED.get(driver, {})
    return {names.get(name, name): value for name, value in fields.items()}
