"""Who read other people's conversations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Table
from albert.api.features.accounts.tables import User


class AdminRead(Table):
    """An admin read somebody's object; it goes with the account of who was read."""

    __tablename__ = "admin_reads"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    admin_id: Mapped[int | None] = mapped_column(
        ForeignKey(User.id, ondelete="SET NULL"), index=True
    )
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    """``chat``, ``stream`` or ``feedback``."""
    object_id: Mapped[int]
