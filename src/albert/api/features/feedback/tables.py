"""What readers think of answers."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Numbered, Table
from albert.api.features.accounts.tables import User


class Feedback(Numbered, Table):
    """At most one for each stream; streams know their feedback, hence the key by its name."""

    __tablename__ = "feedbacks"

    stream_id: Mapped[int] = mapped_column(
        ForeignKey("streams.id", ondelete="CASCADE"), unique=True
    )
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    type: Mapped[str]
    is_good: Mapped[bool | None]
    note: Mapped[int | None]
    positives: Mapped[list[str]] = mapped_column(default=list)
    negatives: Mapped[list[str]] = mapped_column(default=list)
    message: Mapped[str | None]
