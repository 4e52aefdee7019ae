"""The JSON Schema of the routing table, from the types that read it."""

from __future__ import annotations

from typing import Any

from albert.routing.table import RoutedModel


def schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of a table in today's keys."""
    model = RoutedModel.model_json_schema(ref_template="#/$defs/{model}")
    definitions = model.pop("$defs", {})
    del model["properties"]["name"]  # it is the key
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Table de routage d'Albert",
        "type": "object",
        "properties": {"$schema": {"type": "string"}},
        "additionalProperties": {"$ref": "#/$defs/RoutedModel"},
        "$defs": definitions | {"RoutedModel": model},
    }
