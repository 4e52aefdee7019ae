"""What is told of a public service."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class House(BaseModel):
    """Une maison France services."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="Celui de l'éditeur ou, à défaut, un qui reste le même ; unique")
    name: str
    source: str
    kind: str = Field(description="Par exemple « Espace labellisé » ou « Antenne »")
    address: str
    postcode: str
    town: str
    department: str = Field(description="Comme l'éditeur le donne, vide s'il ne le donne pas")
    phones: list[str]
    mails: list[str]
    urls: list[str]
