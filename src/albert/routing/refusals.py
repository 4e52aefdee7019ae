"""What a model server's refusals mean to us: one table, from its status to our error."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from albert.domain.errors import InferenceError, ModelNotFound, ModelOverloaded

_OVERFLOWS = {"exceed_context_size_error", "context_length_exceeded"}
"""llama.cpp's ``type`` and OpenAI's ``code`` for a prompt longer than the window."""

_TOO_LONG = (
    "La demande dépasse ce que ce modèle peut lire : "
    "posez une question plus courte ou commencez une nouvelle conversation."
)
_NO_MODEL = (
    "Le service du modèle n'offre pas {model!r} : vérifiez served_name dans la table de routage, "
    "ou ALBERT_MODEL."
)
_REFUSED = "Le service du modèle refuse la demande (erreur {status}) : consultez son journal."
_BROKEN = "Le service du modèle est en panne (erreur {status}) : consultez son journal."
_NO_STREAM = (
    "Le service du modèle ne répond pas en flux d'événements : "
    "vérifiez que son adresse est compatible OpenAI."
)


def _inference(sentence: str) -> Callable[[int, str], InferenceError]:
    return lambda status, _model: InferenceError(sentence.format(status=status))


_MEANINGS: tuple[tuple[range, Callable[[int, str], InferenceError]], ...] = (
    (range(404, 405), lambda _status, model: ModelNotFound(_NO_MODEL.format(model=model))),
    (range(429, 430), lambda _status, _model: ModelOverloaded()),
    (range(503, 504), lambda _status, _model: ModelOverloaded()),
    (range(400, 500), _inference(_REFUSED)),
    (range(500, 600), _inference(_BROKEN)),
)
"""The first range that holds the status says what it means."""


def of(status: int, body: bytes, model: str) -> InferenceError:
    """Return the error for an HTTP answer that is no stream; the body's own words are not shown.

    They may repeat the prompt, and are no French sentence with a way out.
    """
    if status == 400 and not _OVERFLOWS.isdisjoint(_names(_error_in(body))):
        return InferenceError(_TOO_LONG)
    for statuses, error in _MEANINGS:
        if status in statuses:
            return error(status, model)
    return InferenceError(_NO_STREAM)


def within_a_stream(error: object) -> InferenceError:
    """Return the error for an ``error`` object met after the answer had begun."""
    if not _OVERFLOWS.isdisjoint(_names(error)):
        return InferenceError(_TOO_LONG)
    return InferenceError("Le modèle a échoué pendant sa réponse : réessayez.")


def _error_in(body: bytes) -> object:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return answer.get("error") if isinstance(answer, dict) else None


def _names(error: object) -> set[str]:
    if not isinstance(error, dict):
        return set()
    return {name for name in (error.get("type"), error.get("code")) if isinstance(name, str)}
