"""What the token routes read and say."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[a-zA-Z0-9:_.-]{1,100}$"


class NewToken(BaseModel):
    """Un jeton à créer."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "poste-de-camille"}})

    name: str = Field(pattern=NAME, description="Lettres, chiffres et :_.- ; 100 au plus")


class TokenCard(BaseModel):
    """Un jeton, sans son secret : il n'est montré qu'à sa création."""

    name: str
    created_at: datetime


class Revoked(BaseModel):
    """Le jeton qui n'ouvre plus rien."""

    name: str
