"""A question and its answer, as they are asked for and as they are read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from albert.api.features.chats.schemas import ChatRead
from albert.api.features.feedback.schemas import FeedbackRead, feedback_read
from albert.api.features.feedback.tables import Feedback
from albert.api.features.streams.tables import Stream
from albert.api.parameters import Line, Storable

State = Literal["waiting", "running", "done", "interrupted", "failed"]
Source = Literal["service-public", "travail-emploi"]
Check = Literal["check_url", "check_mail", "check_number"]
Sids = Annotated[list[Line], Field(max_length=1000)]
_A_FEW = 10
"""Items of a list of names: each may be said twice without harm."""


class StreamCreate(BaseModel):
    """Une question et comment y répondre ; les champs inconnus sont ignorés."""

    model_config = ConfigDict(
        protected_namespaces=(),
        json_schema_extra={
            "example": {
                "model_name": "albert-extractif",
                "query": "Comment remplacer un passeport abîmé ?",
            }
        },
    )

    model_name: Line = Field(description="Un des modèles de /v1/models")
    query: Annotated[Storable, Field(max_length=8000, description="La question")] = ""
    mode: Line | None = Field(None, description="Mode de prompt")
    limit: int | None = Field(None, ge=1, le=50, description="Nombre d'extraits")
    with_history: bool | None = Field(
        None, description="Tient compte des questions précédentes de la conversation"
    )
    context: Annotated[Storable, Field(max_length=100_000)] = ""
    institution: Annotated[Storable, Field(max_length=1000)] = ""
    links: Annotated[Storable, Field(max_length=100_000)] = ""
    temperature: float = Field(0.2, ge=0, le=2, allow_inf_nan=False)
    sources: Annotated[list[Source], Field(max_length=_A_FEW)] | None = Field(
        None, description="Seulement ces sources"
    )
    should_sids: Sids | None = Field(None, description="Seulement ces fiches")
    must_not_sids: Sids | None = Field(None, description="Toutes les fiches sauf celles-là")
    postprocessing: Annotated[list[Check], Field(max_length=_A_FEW)] | None = Field(
        None, description="Ce qui est vérifié dans la réponse"
    )


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class StreamRead(BaseModel):
    """Une question, comment il y est répondu, et la réponse."""

    model_config = ConfigDict(protected_namespaces=())

    id: int
    created_at: datetime
    updated_at: datetime
    user_id: int
    chat_id: int | None
    model_name: str
    query: str
    mode: str | None
    limit: int | None
    with_history: bool | None
    context: str
    institution: str
    links: str
    temperature: float
    sources: list[str] | None
    should_sids: list[str] | None
    must_not_sids: list[str] | None
    postprocessing: list[str] | None
    is_streaming: bool = Field(description="La réponse est en train de s'écrire")
    prompt: str | None = Field(
        description="Ce qui fut envoyé au modèle, compressé (trame LZ4), en hexadécimal"
    )
    response: str | None = Field(description="La réponse ; pendant qu'elle s'écrit, son début")
    search_sids: list[str] | None = Field(description="Fiches trouvées")
    rag_sources: list[str] | None = Field(description="Empreintes des extraits utilisés")
    feedback: FeedbackRead | None
    state: State
    usage: Usage | None
    finish: dict[str, Any] | None = Field(description="Sources, constats des vérifications, erreur")


class ChatArchive(ChatRead):
    """Une conversation et tout ce qui s'y est dit, dans l'ordre."""

    streams: list[StreamRead]


def stream_read(stream: Stream, response: str | None, feedback: Feedback | None) -> StreamRead:
    """``response`` is what is written of it by now; the prompt must be loaded."""
    return StreamRead.model_validate(
        {
            **{name: getattr(stream, name) for name in _AS_KEPT},
            "is_streaming": stream.state == "running",
            "prompt": None if stream.prompt is None else stream.prompt.hex(),
            "response": response,
            "feedback": feedback and feedback_read(feedback),
            "usage": _usage(stream),
        }
    )


def _usage(stream: Stream) -> Usage | None:
    if stream.prompt_tokens is None and stream.completion_tokens is None:
        return None
    return Usage(
        prompt_tokens=stream.prompt_tokens or 0, completion_tokens=stream.completion_tokens or 0
    )


_MADE = {"is_streaming", "prompt", "response", "feedback", "usage"}
_AS_KEPT = tuple(name for name in StreamRead.model_fields if name not in _MADE)
"""The fields that are columns."""
