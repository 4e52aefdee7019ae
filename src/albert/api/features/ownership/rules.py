"""Objects belong to their user; admins may read all and change none."""

from __future__ import annotations

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from albert.api.auth import Principal
from albert.api.features.ownership.tables import AdminRead
from albert.domain.errors import NotOwner

Kind = Literal["chat", "stream", "feedback"]


def check_owner(caller: Principal, owner_id: int) -> None:
    """Let the owner change an object.

    Raises:
        NotOwner: it is somebody else's, admin or not.
    """
    if caller.user_id != owner_id:
        raise NotOwner


def check_reader(
    session: AsyncSession, caller: Principal, *, kind: Kind, object_id: int, owner_id: int
) -> None:
    """Let the owner or an admin read an object; what an admin reads of others is recorded.

    The record is in the transaction of ``session``: nothing is read without it.

    Raises:
        NotOwner: it is somebody else's, and the caller is no admin.
    """
    if caller.user_id == owner_id:
        return
    if not caller.is_admin:
        raise NotOwner
    session.add(
        AdminRead(admin_id=caller.user_id, owner_id=owner_id, kind=kind, object_id=object_id)
    )
