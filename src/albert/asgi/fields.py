"""Reading fields of a JSON body by hand; each reader names the field it refuses."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from albert.asgi.problems import Problem, invalid

Fields = Mapping[str, object]


def json_object(body: bytes) -> Fields:
    """Return the body's object.

    Raises:
        Problem: 400, it is not JSON; 422, it is not an object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = (
            f"Le corps n'est pas du JSON valable (ligne {error.lineno}, colonne {error.colno})."
        )
        raise Problem(400, message, code="invalid_json") from None
    if not isinstance(value, dict):
        raise Problem(422, "Le corps doit être un objet JSON.", code="invalid_type")
    return value


def wrong_type(name: str, expected: str) -> Problem:
    return Problem(422, f"« {name} » doit être {expected}.", code="invalid_type", param=name)


def flag(fields: Fields, name: str) -> bool:
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise wrong_type(name, "un booléen")
    return value


def text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong_type(name, "une chaîne de caractères")
    return value


def texts(fields: Fields, name: str) -> tuple[str, ...]:
    """Read a list of strings; a string alone is a list of one."""
    value = fields.get(name)
    if isinstance(value, str):
        return (value,)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong_type(name, "une liste de chaînes de caractères")
    return tuple(value)


def integer(fields: Fields, name: str, *, least: int, most: int | None = None) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(name, "un entier")
    if value < least or (most is not None and value > most):
        bound = f"au moins {least}" if most is None else f"entre {least} et {most}"
        raise invalid(f"« {name} » doit valoir {bound}, et non {value}.", name)
    return value


def number(fields: Fields, name: str, *, least: float, most: float) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong_type(name, "un nombre")
    if not least <= value <= most:
        raise invalid(
            f"« {name} » doit valoir entre {least:g} et {most:g}, et non {value:g}.", name
        )
    return float(value)


def nested(fields: Fields, name: str) -> Fields:
    """Read an object, or nothing; its fields bear their whole path (``rag.limit``)."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(name, "un objet")
    return {f"{name}.{key}": item for key, item in value.items()}
