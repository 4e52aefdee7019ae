"""What may be embedded: the same rule for every driver, and its fake."""

from __future__ import annotations

from albert.domain.errors import RequestError


def readable(text: str) -> str:
    """Return ``text`` without NUL, which engines in C take for the end of a text.

    Raises:
        RequestError: it holds half a character (a lone surrogate).
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = "Le texte contient des caractères illisibles : ressaisissez-le."
        raise RequestError(message) from error
    return text.replace("\0", "")


def embeddable(text: str, place: int) -> str:
    """Return ``text`` ready to embed; ``place`` is its rank in the call, from 1.

    Raises:
        RequestError: nothing is left of it, or it is not text.
    """
    ready = readable(text)
    if not ready.strip():
        raise RequestError(f"Le texte n° {place} est vide : donnez au moins un mot.")
    return ready
