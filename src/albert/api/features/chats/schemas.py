"""A conversation, as it is asked for and as it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from albert.api.features.chats.tables import Chat
from albert.api.parameters import Lines, Storable

ChatType = Literal["qa", "meeting", "evaluations"]


class ChatCreate(BaseModel):
    """Une conversation à ouvrir ; les champs inconnus sont ignorés."""

    model_config = ConfigDict(json_schema_extra={"example": {"chat_type": "qa"}})

    chat_type: ChatType
    operators: Lines | None = Field(None, description="Opérateurs dont il sera question")
    themes: Lines | None = Field(None, description="Thèmes dont il sera question")


class ChatUpdate(BaseModel):
    """Ce qui change ; un champ absent ou nul reste comme il est."""

    model_config = ConfigDict(json_schema_extra={"example": {"chat_name": "Passeport perdu"}})

    chat_name: (
        Annotated[
            Storable,
            StringConstraints(strip_whitespace=True),
            Field(min_length=1, max_length=200),
        ]
        | None
    ) = None
    chat_type: ChatType | None = None


class ChatRead(BaseModel):
    """Une conversation."""

    id: int
    created_at: datetime
    updated_at: datetime
    user_id: int
    chat_name: str | None
    chat_type: str
    operators: list[str]
    themes: list[str]
    stream_count: int = Field(description="Nombre de questions posées")


def chat_read(chat: Chat, stream_count: int) -> ChatRead:
    return ChatRead(
        id=chat.id,
        created_at=chat.created_at,
        updated_at=chat.updated_at,
        user_id=chat.user_id,
        chat_name=chat.chat_name,
        chat_type=chat.chat_type,
        operators=chat.operators,
        themes=chat.themes,
        stream_count=stream_count,
    )
