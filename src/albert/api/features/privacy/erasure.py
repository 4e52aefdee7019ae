"""An account, erased with everything that was its own."""

from __future__ import annotations

from sqlalchemy import delete, or_, select

from albert.api.database.engine import Database
from albert.api.features.accounts.attempts import clear
from albert.api.features.accounts.changes import forget
from albert.api.features.accounts.tables import User
from albert.domain.errors import LastAdmin, Unauthenticated


async def erase(database: Database, user_id: int) -> None:
    """Erase an account: everything that is theirs goes with it, tokens first.

    Raises:
        LastAdmin: nobody would be in charge.
        Unauthenticated: the account was erased meanwhile.
    """
    async with database.session() as session:
        locked = await session.scalars(
            select(User)
            .where(or_(User.id == user_id, User.is_admin))
            .order_by(User.id)  # the same for everybody: two admins who leave wait, in order
            .with_for_update()
        )
        users = {user.id: user for user in locked}
        user = users.pop(user_id, None)
        if user is None:
            raise Unauthenticated
        if user.is_admin and not any(other.is_confirmed for other in users.values()):
            raise LastAdmin
        await clear(session, user.username, user.email)
        await session.execute(delete(User).where(User.id == user.id))
        await forget(session, user.id)
