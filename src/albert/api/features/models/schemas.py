"""What is told of a model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class PromptMode(BaseModel):
    """Une façon d'interroger un modèle."""

    mode: str
    references: bool = Field(description="Le modèle reçoit des extraits de fiches")


class ModelDescription(BaseModel):
    """Un modèle offert."""

    model: str
    type: Literal["text-generation", "text-embeddings-inference", "text-classification"]
    owned_by: str
    default: bool = Field(description="Celui qui répond quand la demande n'en nomme aucun")
    prompts: list[PromptMode] = Field(
        description="Modes de prompt ; aucun pour l'extraction, qui n'en a pas besoin, "
        "ni pour le modèle de vecteurs"
    )
