"""Conversations."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Numbered, Table
from albert.api.features.accounts.tables import User


class Chat(Numbered, Table):
    __tablename__ = "chats"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    chat_name: Mapped[str | None]
    chat_type: Mapped[str]
    operators: Mapped[list[str]] = mapped_column(default=list)
    themes: Mapped[list[str]] = mapped_column(default=list)
