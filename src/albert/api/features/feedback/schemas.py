"""An opinion on an answer, as it is given and as it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from albert.api.features.feedback.tables import Feedback
from albert.api.parameters import Storable

Positive = Literal["clair", "synthetique", "complet", "sources_fiables"]
Negative = Literal[
    "erreurs_grammaires",
    "hallucinations",
    "imprecisions",
    "inconsistance",
    "manque_de_sources",
    "trop_long",
]
_MOST = 20
"""Items of a list: each may be said twice, by a clumsy client, without harm."""


class FeedbackGiven(BaseModel):
    """Un avis ; les champs inconnus sont ignorés."""

    model_config = ConfigDict(json_schema_extra={"example": {"type": "chat", "is_good": True}})

    type: Literal["chat", "evaluations"] = Field(
        description="« chat » demande is_good ; « evaluations » demande note, et au moins un "
        "élément de positives ou de negatives"
    )
    is_good: bool | None = None
    note: int | None = Field(None, ge=0, le=5, strict=True)
    positives: Annotated[list[Positive], Field(max_length=_MOST)] | None = None
    negatives: Annotated[list[Negative], Field(max_length=_MOST)] | None = None
    message: Annotated[Storable, Field(max_length=8000)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.type == "chat" and self.is_good is None:
            raise PydanticCustomError("is_good_missing", "Un avis « chat » demande is_good.")
        if self.type == "evaluations" and self.note is None:
            raise PydanticCustomError("note_missing", "Un avis « evaluations » demande une note.")
        if self.type == "evaluations" and not (self.positives or self.negatives):
            raise PydanticCustomError(
                "reason_missing",
                "Un avis « evaluations » demande au moins un élément de positives ou de negatives.",
            )
        return self


class FeedbackRead(BaseModel):
    """Un avis."""

    id: int
    created_at: datetime
    updated_at: datetime
    user_id: int
    stream_id: int
    type: str
    is_good: bool | None
    note: int | None
    positives: list[str]
    negatives: list[str]
    message: str | None


def feedback_read(feedback: Feedback) -> FeedbackRead:
    return FeedbackRead(
        id=feedback.id,
        created_at=feedback.created_at,
        updated_at=feedback.updated_at,
        user_id=feedback.user_id,
        stream_id=feedback.stream_id,
        type=feedback.type,
        is_good=feedback.is_good,
        note=feedback.note,
        positives=feedback.positives,
        negatives=feedback.negatives,
        message=feedback.message,
    )
