"""Who may call a FastAPI route, said by the router it stands on."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from albert.api.auth import require_key
from albert.api.services import Services


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def key_holder(request: Request) -> None:
    """Let the holder of the key pass; a route without this dependency is public."""
    require_key(request.scope, services_of(request).key_digest)


class Refusal(BaseModel):
    """Pourquoi la demande n'a pas eu de réponse."""

    detail: str
    code: str | None


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document these statuses on a router; 422 is FastAPI's own."""
    return {status: {"model": Refusal, "description": "Refus ou panne"} for status in statuses}


SCHEME = HTTPBearer(
    auto_error=False, description="La clé du service, affichée au premier démarrage."
)
KEY_NEEDED = (Depends(SCHEME), Depends(key_holder))
