"""API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Table
from albert.api.features.accounts.tables import User


class ApiToken(Table):
    """A token, by its SHA-256. One that was revoked stays known, so that it is not taken back."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        Index(
            "api_tokens_user_id_name_key",
            "user_id",
            "name",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    digest: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
