"""What accounts may use, and what they have."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Numbered, Table
from albert.api.features.accounts.tables import User


class Limit(Numbered, Table):
    """What one account may use, or each account of a role; of every model together, or of one.

    A number that is null is not said; ``UNLIMITED`` lifts what the role says.
    """

    __tablename__ = "limits"
    __table_args__ = (
        CheckConstraint("(role IS NULL) <> (user_id IS NULL)", name="whose"),
        Index(
            "limits_role_key",
            "role",
            "model",
            unique=True,
            postgresql_where=text("role IS NOT NULL"),
        ),
        Index(
            "limits_user_key",
            "user_id",
            "model",
            unique=True,
            postgresql_where=text("user_id IS NOT NULL"),
        ),
    )

    role: Mapped[str | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    model: Mapped[str] = mapped_column(server_default="")
    """Empty: all of them together."""
    requests_minute: Mapped[int | None]
    requests_day: Mapped[int | None]
    tokens_minute: Mapped[int | None]
    tokens_day: Mapped[int | None]
    streams: Mapped[int | None]


class LimitCounter(Table):
    """What was given out of one limit of one account, in the window that ``starts``.

    ``granted`` is what workers were given, used or not; ``holders`` says of each worker,
    by its number, how much it may still have unused; of streams, all that it serves,
    negative where none of them is to spare.
    """

    __tablename__ = "limit_counters"

    user_id: Mapped[int] = mapped_column(
        ForeignKey(User.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    model: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    starts: Mapped[datetime]
    granted: Mapped[int]
    holders: Mapped[dict[str, int]] = mapped_column(JSONB)
