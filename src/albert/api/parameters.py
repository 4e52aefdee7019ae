"""Types of the fields and parameters that routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

_LARGEST = (1 << 63) - 1
"""Of PostgreSQL's bigint."""


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise PydanticCustomError(
            "text_unreadable", "Le texte contient un caractère NUL ou une moitié de caractère."
        )
    return text


Storable = Annotated[str, AfterValidator(_storable)]
"""Text that PostgreSQL can keep."""
Line = Annotated[Storable, Field(max_length=200)]
Lines = Annotated[list[Line], Field(max_length=100)]

ObjectId = Annotated[int, Path(ge=0, le=_LARGEST)]
ChatId = Annotated[
    int | None, Query(ge=0, le=_LARGEST, description="Seulement ceux de cette conversation")
]
Skip = Annotated[int, Query(ge=0, le=_LARGEST, description="Combien en passer")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Combien en donner au plus")]
Descending = Annotated[bool, Query(description="Du plus récent au plus ancien")]
