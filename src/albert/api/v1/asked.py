"""What a call to chat/completions asks, checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from albert.asgi import fields as read
from albert.asgi.fields import Fields
from albert.asgi.problems import invalid
from albert.assistant.contract import Question
from albert.assistant.finding import checked
from albert.domain.conversation import Message, Role, Sampling
from albert.domain.documents import ANSWERING, SourceName
from albert.guard.contract import CHECKS, Check
from albert.index.contract import Filter

_ROLES: dict[str, Role | None] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": None,  # what tools said has no place in an answer from the sheets
    "function": None,
}
_MOST_PASSAGES = 50
_DEFAULT = Question(text="")


@dataclass(frozen=True, slots=True)
class Asked:
    question: Question
    stream: bool
    counted: bool
    """Whether the stream ends with a usage chunk."""


def asked(fields: Fields) -> Asked:
    """Read what is asked of an answerer; fields that we do not know are left alone.

    Raises:
        Problem: 400, with the field at fault.
        QuestionInvalid: the last user turn is no question.
    """
    turns = _messages(fields)
    last = max((i for i, turn in enumerate(turns) if turn.role == "user"), default=None)
    if last is None:
        raise invalid(
            "« messages » ne contient aucune question : il faut un message de rôle « user ».",
            "messages",
        )
    rag = read.nested(fields, "rag")
    if read.text(rag, "rag.strategy") not in (None, "last"):
        raise invalid("« rag.strategy » ne peut valoir que « last ».", "rag.strategy")
    if read.integer(fields, "n", least=1) not in (None, 1):
        raise invalid("« n » ne peut valoir que 1.", "n")
    _refuse_other_forms(fields)
    question = Question(
        text=checked(turns[last].content),
        history=tuple(turns[:last]),
        where=Filter(sources=_sources(rag)),
        sampling=_sampling(fields),
        limit=read.integer(rag, "rag.limit", least=1, most=_MOST_PASSAGES),
        mode=read.text(rag, "rag.mode") or _DEFAULT.mode,
        checks=_checks(rag),
    )
    options = read.nested(fields, "stream_options")
    return Asked(
        question, read.flag(fields, "stream"), read.flag(options, "stream_options.include_usage")
    )


def _refuse_other_forms(fields: Fields) -> None:
    """Refuse what would give an answer another form than text: sheets have no other."""
    way_out = "retirez-le, ou retirez « rag » pour parler à un modèle de langue lui-même"
    for name in ("tools", "functions"):
        if fields.get(name) and fields.get("tool_choice") != "none":
            raise invalid(
                f"Une réponse tirée des fiches n'appelle pas d'outil (« {name} ») : {way_out}.",
                name,
                code="unsupported_parameter",
            )
    shape = read.nested(fields, "response_format")
    if read.text(shape, "response_format.type") not in (None, "text"):
        raise invalid(
            "Une réponse tirée des fiches est du texte, sans autre « response_format » : "
            f"{way_out}.",
            "response_format",
            code="unsupported_parameter",
        )
    if read.flag(fields, "logprobs"):
        raise invalid(
            f"Une réponse tirée des fiches n'a pas de probabilités (« logprobs ») : {way_out}.",
            "logprobs",
            code="unsupported_parameter",
        )


def _sampling(fields: Fields) -> Sampling:
    return Sampling(
        temperature=read.number(fields, "temperature", least=0, most=2),
        top_p=read.number(fields, "top_p", least=0, most=1),
        max_tokens=read.integer(fields, "max_completion_tokens", least=1)
        or read.integer(fields, "max_tokens", least=1),
        stop=read.texts(fields, "stop"),
    )


def _sources(rag: Fields) -> frozenset[SourceName]:
    names = read.texts(rag, "rag.sources")
    for name in names:
        if name not in ANSWERING:
            raise invalid(
                f"On ne répond pas depuis la source {name!r} : choisissez parmi "
                f"{', '.join(sorted(ANSWERING))}.",
                "rag.sources",
            )
    return frozenset(SourceName(name) for name in names)


def _checks(rag: Fields) -> frozenset[Check]:
    """Read what is checked of a model's answer: everything, unless it is said."""
    where = "rag.postprocessing"
    if rag.get(where) is None:
        return CHECKS
    names = read.texts(rag, where)
    if unknown := next((name for name in names if name not in CHECKS), None):
        known = ", ".join(sorted(CHECKS))
        raise invalid(f"« {where} » ne connaît pas {unknown!r} : choisissez parmi {known}.", where)
    return frozenset(check for check in CHECKS if check in names)


def _messages(fields: Fields) -> list[Message]:
    raw = fields.get("messages")
    if not isinstance(raw, list):
        raise read.wrong_type("messages", "une liste de messages")
    if not raw:
        raise invalid("« messages » est vide : il faut au moins une question.", "messages")
    turns = (_message(item, f"messages.[{index}]") for index, item in enumerate(raw))
    return [turn for turn in turns if turn is not None]


def _message(raw: object, where: str) -> Message | None:
    if not isinstance(raw, dict):
        raise read.wrong_type(where, "un objet")
    name = raw.get("role")
    if not isinstance(name, str) or name not in _ROLES:
        raise invalid(f"« {where}.role » doit valoir {', '.join(_ROLES)}.", f"{where}.role")
    role = _ROLES[name]
    if role is None:
        return None
    return Message(
        role, _content(raw.get("content"), f"{where}.content", optional=role == "assistant")
    )


def _content(raw: object, where: str, *, optional: bool) -> str:
    """Read a string or a list of text parts; an assistant that called a tool says nothing."""
    if raw is None and optional:
        return ""
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, list):
        raise read.wrong_type(where, "une chaîne de caractères ou une liste de parties de texte")
    for part in cast("Sequence[object]", raw):
        if (
            not isinstance(part, dict)
            or part.get("type") != "text"
            or not isinstance(part.get("text"), str)
        ):
            raise invalid(f"« {where} » ne peut contenir que du texte.", where)
    return "\n".join(part["text"] for part in raw)
