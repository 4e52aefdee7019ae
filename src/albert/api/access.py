"""Who may call a FastAPI route, said by the router it stands on."""

from __future__ import annotations

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from albert.api.auth import require_key
from albert.api.services import Services


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def key_holder(request: Request) -> None:
    """Let the holder of the key pass; a route without this dependency is public."""
    require_key(request.scope, services_of(request).key_digest)


SCHEME = HTTPBearer(
    auto_error=False, description="La clé du service, affichée au premier démarrage."
)
KEY_NEEDED = (Depends(SCHEME), Depends(key_holder))
