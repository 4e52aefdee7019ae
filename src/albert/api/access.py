"""Who may call a FastAPI route: said in its signature, by ``Member`` or ``Admin``.

A route whose signature says neither is public; ``tests/integration`` asks each of them
as everybody.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from albert.api.auth import Principal, require_member
from albert.api.services import Services
from albert.domain.errors import AdminOnly

SCHEME = HTTPBearer(
    auto_error=False, description="Le jeton d'un compte : celui de sign_in, ou un jeton d'API."
)


async def services_of(request: Request) -> Services:  # FastAPI runs a plain ``def`` in a thread
    services: Services = request.app.state.services
    return services


async def member(request: Request, _said: Annotated[object, Depends(SCHEME)]) -> Principal:
    """Let any confirmed account pass."""
    return await require_member(request.scope, (await services_of(request)).gate)


async def admin(principal: Annotated[Principal, Depends(member)]) -> Principal:
    """Let administrators pass."""
    if not principal.is_admin:
        raise AdminOnly
    return principal


Member = Annotated[Principal, Depends(member)]
Admin = Annotated[Principal, Depends(admin)]
Served = Annotated[Services, Depends(services_of)]


class Refusal(BaseModel):
    """Pourquoi la demande n'a pas eu de réponse."""

    detail: str
    code: str | None


class Mistake(BaseModel):
    type: str
    loc: list[str | int]
    msg: str


class Unprocessable(BaseModel):
    """Une demande mal formée (la liste de ses fautes), ou une valeur refusée (une phrase)."""

    detail: list[Mistake] | str
    code: str | None = None


REFUSED_VALUE: dict[int | str, dict[str, Any]] = {
    422: {"model": Unprocessable, "description": "Demande mal formée, ou valeur refusée"}
}
"""Documents a 422 that may be one of our refusals too, not only FastAPI's list."""


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document these statuses on a router; 422 is FastAPI's own."""
    return {status: {"model": Refusal, "description": "Refus ou panne"} for status in statuses}
