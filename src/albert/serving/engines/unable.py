"""Requests for what an engine would pass over in silence get a clear refusal instead."""

from __future__ import annotations

from collections.abc import Mapping


def refusal(fields: Mapping[str, object], unable: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the field that ``fields`` must not have, and the sentence that says why; or nothing.

    Answer it with status 400, and the field as ``param``.
    """
    for path, sentence in unable.items():
        value: object = fields
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if _asks(value):
            return path.partition(".")[0], sentence
    return None


def _asks(value: object) -> bool:
    """Whether a field says anything; ``best_of: 1`` and ``tool_choice: "none"`` do not."""
    return bool(value) and value != "none" and (value is True or value != 1)
