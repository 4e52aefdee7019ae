"""What is asked and answered: the same bytes whoever stands between."""

from __future__ import annotations

import json

MODEL = "instant"
KEY = "cle-du-moteur"
"""What the backend is called with; it does not look."""

_PROMPT = (
    "Je dois renouveler mon passeport avant un voyage en juin. Quelles pièces dois-je réunir, "
    "combien coûte le timbre fiscal, et quel est le délai en mairie à cette période de l'année ?"
)
_ANSWER = (
    "Pour renouveler votre passeport, présentez-vous en mairie avec une photo d'identité de moins "
    "de six mois, un timbre fiscal de 86 €, votre ancien passeport et un justificatif de domicile. "
)
ASKED = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "Tu réponds en français, brièvement."},
        {"role": "user", "content": _PROMPT},
    ],
    "temperature": 0.2,
    "max_tokens": 128,
}
COMPLETION = json.dumps(
    {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion",
        "created": 1767225600,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _ANSWER},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 74, "completion_tokens": 55, "total_tokens": 129},
    },
    ensure_ascii=False,
).encode()

_SAID = (
    "Pour renouveler votre passeport, allez en mairie avec une photo de moins de 6 mois, un timbre "
    "fiscal de 86 € et un justificatif de domicile : voyez la page "
    "https://www.service-public.fr/particuliers/vosdroits/F14929, ou appelez le 39 39. "
)
WORDS = [f"{word} " for word in _SAID.split()]


def asked(*, events: int = 0, with_sheets: bool = False) -> bytes:
    """Return the body of a request: for an answer at once, or for so many events."""
    said: dict[str, object] = dict(ASKED)
    if events:
        said |= {"stream": True, "max_tokens": events, "stream_options": {"include_usage": True}}
    if with_sheets:
        said["rag"] = {"strategy": "last"}
    return json.dumps(said, ensure_ascii=False).encode()


def event(delta: dict[str, str], *, finish: str | None = None) -> bytes:
    """Return one event of a stream, as engines write it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _frame({"choices": [choice]})


def usage(tokens: int) -> bytes:
    spent = {"prompt_tokens": 74, "completion_tokens": tokens, "total_tokens": 74 + tokens}
    return _frame({"choices": [], "usage": spent})


def _frame(rest: dict[str, object]) -> bytes:
    head = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": MODEL,
    }
    return b"data: " + json.dumps(head | rest, ensure_ascii=False).encode() + b"\n\n"
