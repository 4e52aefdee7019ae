"""Who may call: today, whoever holds the service's key."""

from __future__ import annotations

from starlette.types import Scope

from albert.api.asgi import header
from albert.api.errors import Problem
from albert.api.keys import opens


def require_key(scope: Scope, digest: str) -> None:
    """Let the holder of the key pass.

    Raises:
        Problem: 401, the header is missing, malformed, or bears another key.
    """
    scheme, _, key = header(scope, b"authorization").partition(" ")
    if scheme.lower() == "bearer" and opens(key.strip(), digest):
        return
    problem = Problem(
        401,
        "Il faut la clé du service : en-tête « Authorization: Bearer <clé> ».",
        code="invalid_api_key",
    )
    problem.headers = ((b"www-authenticate", b"Bearer"),)
    raise problem
