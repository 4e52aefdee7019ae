"""One row a call."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Table
from albert.api.features.accounts.tables import User


class Usage(Table):
    """A call to a model, once it has ended; nothing of what was asked or answered.

    Durations are in seconds; ``at`` is its beginning; ``cost`` is in euros, by the
    prices of the moment. The worker chooses ``id``, so that what is written again
    after a cut is not counted twice.
    """

    __tablename__ = "usage"
    __table_args__ = (
        Index("usage_at_index", "at"),
        Index("usage_user_id_at_index", "user_id", "at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    model: Mapped[str]
    operation: Mapped[str]
    stream: Mapped[bool]
    status: Mapped[int]
    latency: Mapped[float]
    queued: Mapped[float]
    first_token: Mapped[float | None]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    cached_tokens: Mapped[int]
    replica: Mapped[str]
    attempts: Mapped[int]
    answered_by: Mapped[str]
    """The model that answered in its place; empty where it did itself."""
    cost: Mapped[float]
