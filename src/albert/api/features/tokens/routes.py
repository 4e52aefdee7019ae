"""The token routes of /api/v2."""

from __future__ import annotations

from fastapi import APIRouter, Request

from albert.api.access import Member, Served, refusals
from albert.api.auth import bearer
from albert.api.features.accounts.schemas import Said
from albert.api.features.tokens import service
from albert.api.features.tokens.schemas import NewToken, Revoked, TokenCard

private = APIRouter(prefix="/api/v2", tags=["Jetons"], responses=refusals(401, 403, 413, 500, 503))


@private.get("/user/token", summary="Mes jetons d'API")
async def read_tokens(caller: Member, services: Served) -> list[TokenCard]:
    found = await service.every(services.database, caller.user_id)
    return [TokenCard(name=token.name, created_at=token.created_at) for token in found]


@private.post(
    "/user/token/new", summary="Crée un jeton, montré cette seule fois", responses=refusals(400)
)
async def create_token(caller: Member, asked: NewToken, services: Served) -> str:
    return await service.create(services.database, caller.user_id, asked.name)


@private.delete(
    "/user/token/{token}", summary="Supprime un jeton, ou celui de ce nom", responses=refusals(404)
)
async def delete_token(caller: Member, token: str, services: Served) -> Revoked:
    return Revoked(name=await service.revoke(services.database, caller.user_id, token))


@private.post("/sign_out", summary="Tue le jeton de l'appel")
async def sign_out(caller: Member, request: Request, services: Served) -> Said:
    await service.sign_out(services.database, caller, bearer(request.scope))
    return Said(msg="Vous êtes déconnecté.")
