"""Secrets of the settings: refused where they are weak, made where development needs none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from albert.api.keys import SECRET_FILE, ensure_key
from albert.domain.errors import SettingInvalid
from albert.settings import Settings

_DEVELOPMENT = frozenset({"dev", "development", "local", "test"})
_SHORTEST_SECRET = 32
_SHORTEST_PASSWORD = 12
_DEFAULT = re.compile(
    r"change.?(me|it|this)|secret|password|mot.?de.?passe|passw0rd|admin|albert|postgres|azerty"
    r"|qwerty|default|example|exemple|12345|test",
    re.IGNORECASE,
)


def in_development(settings: Settings) -> bool:
    return settings.env.lower() in _DEVELOPMENT


def secret_key(settings: Settings, folder: Path) -> str:
    """Return what signs sessions: that of the settings, else one kept in ``folder``.

    Raises:
        SettingInvalid: outside development, it is missing.
        HomeError, DiskFull
    """
    given = settings.secret_key.get_secret_value()
    if given:
        return given
    if not in_development(settings):
        raise SettingInvalid(
            f"SECRET_KEY manque : donnez un secret d'au moins {_SHORTEST_SECRET} caractères, "
            "par exemple celui de « openssl rand -hex 32 »."
        )
    return ensure_key(folder, SECRET_FILE)[0]


def refuse_weak_secrets(settings: Settings) -> None:
    """Stop a service that is not a developer's own from starting with a secret that all know.

    Raises:
        SettingInvalid: naming the setting and never its value.
    """
    for sentence in weak_secrets(settings):
        raise SettingInvalid(sentence)


def weak_secrets(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each secret that outside development nobody should start with."""
    if in_development(settings):
        return
    secret = settings.secret_key.get_secret_value()
    if len(secret) < _SHORTEST_SECRET or _repeats(secret) or _is_default(secret):
        yield (
            f"SECRET_KEY est absent, trop court ou convenu : il faut {_SHORTEST_SECRET} caractères "
            "tirés au sort, par exemple ceux de « openssl rand -hex 32 »."
        )
    passwords = {
        "FIRST_ADMIN_PASSWORD": settings.first_admin_password.get_secret_value(),
        "POSTGRES_PASSWORD": settings.postgres_password.get_secret_value(),
    }
    for name, password in passwords.items():
        if password and (len(password) < _SHORTEST_PASSWORD or _is_default(password)):
            yield (
                f"{name} est trop court ou convenu : il faut {_SHORTEST_PASSWORD} caractères "
                "tirés au sort."
            )


def _is_default(secret: str) -> bool:
    """Whether nothing much is left of the secret without the words that everybody tries."""
    return len(_DEFAULT.sub("", secret)) < _SHORTEST_PASSWORD


def _repeats(secret: str) -> bool:
    return len(set(secret)) < 8
