"""Questions and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Numbered, Table
from albert.api.features.accounts.tables import User
from albert.api.features.chats.tables import Chat


class Stream(Numbered, Table):
    """A question, how it is to be answered, and what was answered.

    ``state`` goes from ``waiting`` to ``running``, then to ``done``, ``interrupted`` (the
    reader left, somebody stopped it, or the worker ended) or ``failed``. While it
    runs, ``worker`` is the number of the worker that writes it, and the answer so
    far lies in ``stream_pieces``; afterwards it is ``response``.
    """

    __tablename__ = "streams"
    __table_args__ = (
        Index("streams_running_index", "worker", postgresql_where=text("state = 'running'")),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    chat_id: Mapped[int | None] = mapped_column(ForeignKey(Chat.id, ondelete="CASCADE"), index=True)
    model_name: Mapped[str]
    query: Mapped[str]
    mode: Mapped[str | None]
    limit: Mapped[int | None]
    with_history: Mapped[bool | None]
    context: Mapped[str]
    institution: Mapped[str]
    links: Mapped[str]
    temperature: Mapped[float]
    sources: Mapped[list[str] | None]
    should_sids: Mapped[list[str] | None]
    must_not_sids: Mapped[list[str] | None]
    postprocessing: Mapped[list[str] | None]

    state: Mapped[str] = mapped_column(default="waiting")
    worker: Mapped[int | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    prompt: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """What was sent to the model, as an LZ4 frame."""
    response: Mapped[str | None]
    search_sids: Mapped[list[str] | None]
    rag_sources: Mapped[list[str] | None]
    finish: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """The extra fields of the finish chunk: sources, findings of the guard, error."""
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]


class Piece(Table):
    """A piece of an answer that is being written; ``position`` in characters of the answer."""

    __tablename__ = "stream_pieces"

    stream_id: Mapped[int] = mapped_column(
        ForeignKey(Stream.id, ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
