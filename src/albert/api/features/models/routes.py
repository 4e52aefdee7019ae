"""GET /api/v2/models."""

from __future__ import annotations

from fastapi import APIRouter

from albert.api.access import Member, Served, refusals
from albert.api.features.models.schemas import ModelDescription, PromptMode
from albert.api.services import Services
from albert.api.v1.models import Models
from albert.assistant.contract import EXTRACTIVE
from albert.wire.openai import ModelCard

private = APIRouter(prefix="/api/v2", tags=["Modèles"], responses=refusals(401, 403, 500, 503))


@private.get("/models", summary="Les modèles offerts, avec leurs modes de prompt")
def read_models(caller: Member, services: Served) -> dict[str, ModelDescription]:
    return {
        name: ModelDescription(
            model=name,
            type=card["type"],
            owned_by=card["owned_by"],
            default=name == services.default_model,
            prompts=_modes(services, name) if _writes(card) else [],
        )
        for name, card in Models(services).cards(caller).items()
    }


def _writes(card: ModelCard) -> bool:
    return card["type"] == "text-generation" and card["id"] != EXTRACTIVE


def _modes(services: Services, model: str) -> list[PromptMode]:
    return [
        PromptMode(mode=mode.name, references=mode.quotes)
        for mode in services.modes(model).values()
    ]
