"""What engines call the fields of a request that have another name there."""

from __future__ import annotations

from collections.abc import Mapping

from albert.asgi.problems import invalid
from albert.routing.table import DriverName
from albert.serving.engines.unable import refusal

RENAMED: Mapping[DriverName, Mapping[str, str]] = {
    "llama.cpp": {"repetition_penalty": "repeat_penalty"},
}


def check(fields: Mapping[str, object], unable: Mapping[str, str]) -> None:
    """See that a request asks for nothing that the engine would pass over in silence.

    Raises:
        Problem: 400; the message names the field, and says what to do.
    """
    if (refused := refusal(fields, unable)) is not None:
        field, sentence = refused
        raise invalid(sentence, field, "unsupported_value")


def renamed(driver: DriverName, fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields under the names that they have there."""
    names = RENAMED.get(driver, {})
    return {names.get(name, name): value for name, value in fields.items()}
