"""Reading ``llm_routing_table.json``: what is wrong is told with its line and its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from albert.domain.errors import TableInvalid
from albert.routing.earlier import EARLIER, translated
from albert.routing.place import line_of
from albert.routing.rules import broken
from albert.routing.table import RoutedModel, RoutingTable


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong, and at which line of the file, from 1."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"ligne {self.line} : {self.reason}"


def read(path: Path) -> RoutingTable:
    """Read a table.

    Raises:
        TableInvalid: with every mistake, its line and its reason.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TableInvalid(
            f"La table de routage « {path} » ne peut pas être lue ({_unread(error)}) : "
            "corrigez son chemin (ALBERT_ROUTING_TABLE), ou ses droits."
        ) from None
    table, mistakes = parse(text)
    if mistakes:
        told = "\n".join(f"- {mistake}" for mistake in mistakes)
        raise TableInvalid(f"La table de routage « {path} » est à corriger :\n{told}")
    return table


def parse(text: str) -> tuple[RoutingTable, list[Mistake]]:
    """Return the models that can be read, and what is wrong, in the order of lines."""
    twice: list[str] = []
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, twice))
    except json.JSONDecodeError as error:
        reason = f"ce n'est pas du JSON, à la colonne {error.colno} ; virgule ou guillemet oublié ?"
        return RoutingTable({}), [Mistake(error.lineno, reason)]
    except RecursionError:
        return RoutingTable({}), [Mistake(1, "les objets s'emboîtent sans fin.")]
    if not isinstance(value, dict):
        return RoutingTable({}), [Mistake(1, "il faut un objet : un modèle pour chaque clé.")]
    table, mistakes = _models(text, value)
    return table, sorted([*mistakes, *(_told_twice(text, key) for key in twice)])


def _models(text: str, value: Mapping[str, Any]) -> tuple[RoutingTable, list[Mistake]]:
    models: dict[str, RoutedModel] = {}
    mistakes: list[Mistake] = []
    for name, entry in value.items():
        if name == "$schema":
            continue
        if not isinstance(entry, dict):
            mistakes.append(Mistake(line_of(text, [name]), f"« {name} » : il faut un objet."))
            continue
        if "name" in entry:
            line = line_of(text, [name, "name"])
            mistakes.append(Mistake(line, f"« {name} », name : le nom d'un modèle est sa clé."))
        given, moved = translated(entry)
        try:
            models[name] = RoutedModel.model_validate({**given, "name": name})
        except ValidationError as error:
            for one in _own(error.errors()):
                place = moved.get(_dotted(one["loc"]), one["loc"])
                line = line_of(text, [name, *place])
                mistakes.append(Mistake(line, f"« {name} », {_dotted(place)} : {_reason(one)}"))
    for name, reason in broken(models, value):
        mistakes.append(Mistake(line_of(text, [name]), f"« {name} » : {reason}"))
    return RoutingTable(models), mistakes


def _unread(error: OSError | UnicodeDecodeError) -> str:
    """Say in French why a file cannot be read."""
    match error:
        case UnicodeDecodeError():
            return "n'est pas en UTF-8"
        case FileNotFoundError() | NotADirectoryError():
            return "aucun fichier n'est là"
        case IsADirectoryError():
            return "c'est un dossier"
        case PermissionError():
            return "les droits manquent"
    return error.strerror or type(error).__name__


def _once(pairs: Sequence[tuple[str, Any]], twice: list[str]) -> dict[str, Any]:
    """Make an object; JSON lets a key stand twice, and the first would be lost in silence."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            twice.append(key)
        made[key] = value
    return made


def _told_twice(text: str, key: str) -> Mistake:
    where = text.rfind(json.dumps(key, ensure_ascii=False))
    line = text.count("\n", 0, max(where, 0)) + 1
    return Mistake(line, f"la clé « {key} » y est deux fois.")


def _own(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Return the errors without « too short » of a list whose items are what is wrong."""
    places = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(place[:-1][: len(error["loc"])] == error["loc"] for place in places)
    ]


def _dotted(place: Sequence[str | int]) -> str:
    return ".".join(map(str, place))


_KINDS = {
    "int": "un nombre entier",
    "float": "un nombre",
    "string": "un texte",
    "bool": "true ou false",
}
_BOUNDS = {"ge": "au moins", "gt": "plus de", "le": "au plus", "lt": "moins de"}


def _reason(error: ErrorDetails) -> str:
    """Say in French what pydantic found wrong; never the value, which may be a key."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        wrong = str(error["loc"][-1])
        if len(error["loc"]) == 1 and wrong in EARLIER:
            return f"{EARLIER[wrong][0]} dit déjà cela : gardez l'un des deux."
        near = get_close_matches(wrong, RoutedModel.model_fields, n=1)
        return "cette clé n'existe pas" + (f" : vouliez-vous dire {near[0]} ?" if near else ".")
    if kind == "literal_error":
        return f"il faut {context['expected'].replace(' or ', ' ou ')}."
    for bound, word in _BOUNDS.items():
        if bound in context:
            return f"il faut {word} {context[bound]}."
    family = kind.partition("_")[0]
    if family in _KINDS and kind != "string_pattern_mismatch":
        return f"il faut {_KINDS[family]}."
    expected = {"tuple_type": "une liste", "model_type": "un objet", "too_short": "au moins un"}
    return f"il faut {expected[kind]}." if kind in expected else "cette valeur est refusée."
