"""What a call to responses asks, as a call to chat/completions, and what its answer repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from albert.api.v1.responses.items import messages
from albert.asgi import fields as read
from albert.asgi.fields import Fields
from albert.asgi.problems import invalid

_REFUSED: Mapping[str, str] = {
    "previous_response_id": "Aucune réponse n'est gardée sous /v1 : renvoyez toute la conversation "
    "dans « input », sans « previous_response_id ».",
    "conversation": "Aucune conversation n'est gardée sous /v1 : renvoyez-la dans « input » ; "
    "celles d'Albert sont sous /api/v2/chat.",
    "prompt": "Aucun modèle de prompt n'est gardé ici : écrivez-le dans « instructions ».",
    "background": "Une réponse ne s'écrit pas en arrière-plan sous /v1 : retirez « background ».",
}
_READ = frozenset(
    (
        *("input", "instructions", "max_output_tokens", "tools", "tool_choice", "text"),
        *("reasoning", "metadata", "store", "truncation", "include", "top_logprobs"),
        *("stream_options", "max_tool_calls", *_REFUSED),
    )
)
"""Fields that are put otherwise to a chat, or that have no meaning there; the rest passes."""

_WITH_LOGPROBS = "message.output_text.logprobs"


def to_chat(fields: Fields) -> dict[str, object]:
    """Return the body of a call to chat/completions that asks the same.

    Raises:
        Problem: 400 or 422, with the field at fault.
    """
    for name, why in _REFUSED.items():
        if fields.get(name) not in (None, False):
            raise invalid(why, name, code="unsupported_parameter")
    chat = {
        name: value for name, value in fields.items() if name not in _READ and value is not None
    }
    chat["messages"] = messages(fields)
    chat |= _bounds(fields) | _tools(fields) | _format(fields) | _logprobs(fields)
    if effort := read.text(read.nested(fields, "reasoning"), "reasoning.effort"):
        chat["reasoning_effort"] = effort
    if read.flag(fields, "stream"):
        chat["stream_options"] = {"include_usage": True}  # the last event tells it
    return chat


def repeated(fields: Fields) -> dict[str, object]:
    """Return what a response object repeats of a request that ``to_chat`` took."""
    text = {"format": {"type": "text"}, **cast("Fields", fields.get("text") or {})}
    reasoning = cast("Fields", fields.get("reasoning") or {})
    return {
        "instructions": fields.get("instructions"),
        "max_output_tokens": fields.get("max_output_tokens"),
        "metadata": fields.get("metadata") or {},
        "parallel_tool_calls": fields.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": None},
        "store": False,  # whatever was asked: nothing is kept
        "temperature": fields.get("temperature"),
        "text": text,
        "tool_choice": fields.get("tool_choice") or "auto",
        "tools": fields.get("tools") or [],
        "top_logprobs": fields.get("top_logprobs"),
        "top_p": fields.get("top_p"),
        "truncation": "disabled",
        "user": fields.get("user"),
    }


def _bounds(fields: Fields) -> dict[str, object]:
    """Check the plain fields; only the one that has another name is returned."""
    read.number(fields, "temperature", least=0, most=2)
    read.number(fields, "top_p", least=0, most=1)
    read.text(fields, "user")
    read.flag(fields, "parallel_tool_calls")
    read.flag(fields, "store")
    if read.text(fields, "truncation") not in (None, "auto", "disabled"):
        raise invalid("« truncation » doit valoir auto ou disabled.", "truncation")
    metadata = read.nested(fields, "metadata")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise read.wrong_type("metadata", "un objet dont les valeurs sont des textes")
    most = read.integer(fields, "max_output_tokens", least=1)
    return {} if most is None else {"max_tokens": most}


def _tools(fields: Fields) -> dict[str, object]:
    raw = fields.get("tools")
    if raw is not None and not isinstance(raw, list):
        raise read.wrong_type("tools", "une liste d'outils")
    tools = [_tool(item, f"tools.[{index}]") for index, item in enumerate(raw or [])]
    choice = _choice(fields.get("tool_choice"))
    return ({"tools": tools} if tools else {}) | ({"tool_choice": choice} if choice else {})


def _tool(raw: object, where: str) -> dict[str, object]:
    """Nest the function, which responses give flat."""
    if not isinstance(raw, dict):
        raise read.wrong_type(where, "un objet")
    if raw.get("type") != "function":
        raise invalid(
            f"« {where}.type » ne peut valoir que function : Albert n'a pas d'outil à lui.",
            f"{where}.type",
        )
    if not isinstance(raw.get("name"), str):
        raise read.wrong_type(f"{where}.name", "une chaîne de caractères")
    if not isinstance(raw.get("parameters", {}), dict | None):
        raise read.wrong_type(f"{where}.parameters", "un objet")
    function = {
        key: raw[key]
        for key in ("name", "description", "parameters", "strict")
        if raw.get(key) is not None
    }
    return {"type": "function", "function": function}


def _choice(raw: object) -> object:
    if raw is None or raw in ("auto", "none", "required"):
        return raw
    if isinstance(raw, dict) and raw.get("type") == "function" and isinstance(raw.get("name"), str):
        return {"type": "function", "function": {"name": raw["name"]}}
    raise invalid(
        "« tool_choice » doit valoir auto, none, required, ou nommer une fonction "
        '({"type": "function", "name": …}).',
        "tool_choice",
    )


def _format(fields: Fields) -> dict[str, object]:
    text = read.nested(fields, "text")
    shape = read.nested(text, "text.format")
    verbosity = read.text(text, "text.verbosity")
    said: dict[str, object] = {"verbosity": verbosity} if verbosity else {}
    match read.text(shape, "text.format.type"):
        case None | "text":
            return said
        case "json_object":
            return said | {"response_format": {"type": "json_object"}}
        case "json_schema":
            schema = read.nested(shape, "text.format.schema")
            if not schema or not read.text(shape, "text.format.name"):
                raise invalid(
                    "« text.format » demande un « name » et un « schema ».", "text.format"
                )
            named = {
                key: value
                for key in ("name", "description", "schema", "strict")
                if (value := shape.get(f"text.format.{key}")) is not None
            }
            return said | {"response_format": {"type": "json_schema", "json_schema": named}}
    raise invalid(
        "« text.format.type » doit valoir text, json_object ou json_schema.", "text.format.type"
    )


def _logprobs(fields: Fields) -> dict[str, object]:
    most = read.integer(fields, "top_logprobs", least=0, most=20)
    if most is None and _WITH_LOGPROBS not in read.texts(fields, "include"):
        return {}
    return {"logprobs": True, "top_logprobs": most or 0}
