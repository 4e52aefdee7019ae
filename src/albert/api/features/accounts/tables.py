"""Accounts, and what opens and closes them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from albert.api.database.tables import Numbered, Table


class User(Numbered, Table):
    """An account. ``is_confirmed`` is ``None`` until an admin decides."""

    __tablename__ = "users"
    __table_args__ = (
        Index("users_username_key", text("lower(username)"), unique=True),
        Index("users_email_key", text("lower(email)"), unique=True),
    )

    username: Mapped[str]
    email: Mapped[str]
    password_hash: Mapped[str | None]
    """argon2id; ``None`` where only a token opens the account."""
    is_confirmed: Mapped[bool | None]
    is_admin: Mapped[bool] = mapped_column(default=False)
    organization_id: Mapped[str | None]
    organization_name: Mapped[str | None]
    accept_cookie: Mapped[bool] = mapped_column(default=False)
    accept_retrain: Mapped[bool] = mapped_column(default=False)


class SignIn(Table):
    """A session opened by ``sign_in``; the JWT bears its id."""

    __tablename__ = "sign_ins"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PasswordReset(Table):
    """A link that was mailed; only the SHA-256 of its token is kept."""

    __tablename__ = "password_resets"

    digest: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]


class Attempts(Table):
    """Wrong passwords given for a name or an address, known or not; by its SHA-256."""

    __tablename__ = "sign_in_attempts"

    digest: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
    locked_until: Mapped[datetime | None]
