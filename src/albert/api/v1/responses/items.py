"""The input of a response, item by item, as the messages of a chat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from albert.asgi import fields as read
from albert.asgi.fields import Fields
from albert.asgi.problems import invalid

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_TEXT = ("input_text", "output_text", "text")
_SKIPPED = ("reasoning",)  # no engine reads again what a model thought in an earlier turn


@dataclass(slots=True)
class _Turn:
    role: str
    content: object
    calls: list[object] = field(default_factory=list)
    call_id: str = ""

    def json(self) -> dict[str, object]:
        turn: dict[str, object] = {"role": self.role, "content": self.content}
        if self.calls:
            turn["tool_calls"] = self.calls
        if self.call_id:
            turn["tool_call_id"] = self.call_id
        return turn


def messages(fields: Fields) -> list[dict[str, object]]:
    """Return ``instructions`` and ``input`` as a chat's messages.

    Raises:
        Problem: 400 or 422, with the item at fault.
    """
    turns: list[_Turn] = []
    if instructions := read.text(fields, "instructions"):
        turns.append(_Turn("system", instructions))
    raw = fields.get("input")
    if isinstance(raw, str):
        turns.append(_Turn("user", raw))
        return [turn.json() for turn in turns]
    if not isinstance(raw, list):
        raise read.wrong_type("input", "une chaîne de caractères ou une liste d'éléments")
    if not raw:
        raise invalid("« input » est vide : il faut au moins une question.", "input")
    for index, item in enumerate(raw):
        _add(turns, item, f"input.[{index}]")
    return [turn.json() for turn in turns]


def _add(turns: list[_Turn], item: object, where: str) -> None:
    if not isinstance(item, dict):
        raise read.wrong_type(where, "un objet")
    match item.get("type", "message"):
        case "message":
            turns.append(_message(item, where))
        case "function_call":
            if not turns or turns[-1].role != "assistant":
                turns.append(_Turn("assistant", None))
            turns[-1].calls.append(_call(item, where))
        case "function_call_output":
            said = _content(item.get("output"), f"{where}.output")
            turns.append(_Turn("tool", said, call_id=_needed(item, "call_id", where)))
        case str(kind) if kind in _SKIPPED:
            return
        case "item_reference":
            raise invalid(
                "Aucun élément n'est gardé sous /v1 : renvoyez-le entier, sans « item_reference ».",
                where,
            )
        case _:
            known = "message, function_call ou function_call_output"
            raise invalid(f"« {where}.type » doit valoir {known}.", f"{where}.type")


def _message(item: Fields, where: str) -> _Turn:
    name = item.get("role")
    if not isinstance(name, str) or name not in _ROLES:
        raise invalid(f"« {where}.role » doit valoir {', '.join(_ROLES)}.", f"{where}.role")
    return _Turn(_ROLES[name], _content(item.get("content"), f"{where}.content"))


def _call(item: Fields, where: str) -> dict[str, object]:
    function = {
        "name": _needed(item, "name", where),
        "arguments": _needed(item, "arguments", where),
    }
    return {"id": _needed(item, "call_id", where), "type": "function", "function": function}


def _needed(item: Fields, name: str, where: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise read.wrong_type(f"{where}.{name}", "une chaîne de caractères")
    return value


def _content(raw: object, where: str) -> object:
    """Return text as a string where there is nothing else, which every chat template reads."""
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, list):
        raise read.wrong_type(where, "une chaîne de caractères ou une liste de parties")
    parts = [_part(part, where) for part in cast("Sequence[object]", raw)]
    texts = [text for part in parts if isinstance(text := part.get("text"), str)]
    return "\n".join(texts) if len(texts) == len(parts) else parts


def _part(part: object, where: str) -> dict[str, object]:
    if not isinstance(part, dict):
        raise read.wrong_type(where, "une liste d'objets")
    match part.get("type"):
        case str(kind) if kind in _TEXT:
            return {"type": "text", "text": _needed(part, "text", where)}
        case "refusal":
            return {"type": "text", "text": _needed(part, "refusal", where)}
        case "input_image":
            return {"type": "image_url", "image_url": {"url": _image(part, where)}}
    raise invalid(f"« {where} » ne peut contenir que du texte et des images.", where)


def _image(part: Fields, where: str) -> str:
    url = _needed(part, "image_url", where)
    if not url.startswith("data:"):  # the engine would fetch from wherever the caller says
        raise invalid(
            f"« {where} » : une image s'envoie dans la demande même (« data:image/… »), "
            "non par une adresse.",
            where,
        )
    return url
