"""What a user may be called, and what an e-mail address looks like."""

from __future__ import annotations

import re
import unicodedata

from pydantic_core import PydanticCustomError

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
"""RFC 5321's dot-string, and a domain of several labels whose last is no number."""


def normal(name: str) -> str:
    """Return the one spelling of a name (Unicode NFKC): what is told apart by eye alone is one."""
    return unicodedata.normalize("NFKC", name).strip()


def username_of(said: str) -> str:
    """Return the user's name in its one spelling.

    Raises:
        ValueError: it is not 1 to 64 visible characters, or has an ``@``: that is an address.
    """
    name = normal(said)
    visible = all(character == " " or _is_visible(character) for character in name)
    if not 1 <= len(name) <= 64 or not visible or "@" in name:
        raise PydanticCustomError(
            "username_invalid",
            "Le nom d'utilisateur doit avoir de 1 à 64 caractères visibles, sans « @ ».",
        )
    return name


def email_of(said: str) -> str:
    """Return the address, its domain in lower case.

    Raises:
        ValueError: it is not of the form that mail servers take without extensions.
    """
    local, _, domain = said.strip().rpartition("@")
    right = _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)
    if not right or len(local) > 64 or len(domain) > 190:
        raise PydanticCustomError(
            "email_invalid", "L'adresse électronique doit être de la forme nom@domaine.fr."
        )
    return f"{local}@{domain.lower()}"


def _is_visible(character: str) -> bool:
    """Whether it is neither a control, a format, a surrogate, a private use, nor a separator."""
    return unicodedata.category(character)[0] not in "CZ"
