"""GET /api/v2/institutions and /api/v2/organizations/mfs."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Response

from albert.api.access import Member, Served, refusals
from albert.api.features.directory.schemas import House

private = APIRouter(
    prefix="/api/v2",
    tags=["Annuaires"],
    responses=refusals(401, 403, 500, 503),
)
public = APIRouter(prefix="/api/v2", tags=["Annuaires"], responses=refusals(500, 503))


@private.get(
    "/institutions",
    summary="Les noms des institutions, pour compléter le champ « institution »",
    response_model=list[str],
)
async def read_institutions(_caller: Member, services: Served) -> Response:
    return _listed(await services.library.institutions())


@public.get(
    "/organizations/mfs",
    summary="Les maisons France services, par nom",
    response_model=list[House],
)
async def read_houses(services: Served) -> Response:
    return _listed(await services.library.organizations())


def _listed(values: object) -> Response:
    """Encode a long list as it is: what a model would check of it was checked when it was read."""
    return Response(orjson.dumps(values), media_type="application/json")
