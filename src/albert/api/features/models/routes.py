"""GET /api/v2/models."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter

from albert.api.access import Member, Served, refusals
from albert.api.features.models.schemas import ModelDescription, PromptMode
from albert.api.v1.models import Models
from albert.assistant.contract import EXTRACTIVE
from albert.prompt.config import built_in

private = APIRouter(prefix="/api/v2", tags=["Modèles"], responses=refusals(401, 403, 500, 503))


@private.get("/models", summary="Les modèles offerts, avec leurs modes de prompt")
def read_models(_caller: Member, services: Served) -> dict[str, ModelDescription]:
    prompted = {*services.answerers, *services.upstreams} - {EXTRACTIVE}
    return {
        name: ModelDescription(
            model=name,
            type=card["type"],
            owned_by=card["owned_by"],
            default=name == services.default_model,
            prompts=list(_modes()) if name in prompted else [],
        )
        for name, card in Models(services).cards().items()
    }


@cache
def _modes() -> tuple[PromptMode, ...]:
    modes = built_in().modes("").values()
    return tuple(PromptMode(mode=mode.name, references=mode.quotes) for mode in modes)
