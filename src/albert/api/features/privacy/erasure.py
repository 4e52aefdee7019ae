"""An account, erased with everything that was its own."""

from __future__ import annotations

from sqlalchemy import delete, or_, select

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.accounts.changes import forget
from albert.api.features.accounts.tables import Attempts, User
from albert.api.keys import digest_of
from albert.domain.errors import LastAdmin, Unauthenticated


async def erase(database: Database, caller: Principal) -> None:
    """Erase the caller's account: everything that is theirs goes with it, tokens first.

    Raises:
        LastAdmin: nobody would be in charge.
        Unauthenticated: the account was erased meanwhile.
    """
    async with database.session() as session:
        locked = await session.scalars(
            select(User)
            .where(or_(User.id == caller.user_id, User.is_admin))
            .order_by(User.id)  # the same for everybody: two admins who leave wait, in order
            .with_for_update()
        )
        users = {user.id: user for user in locked}
        user = users.pop(caller.user_id, None)
        if user is None:
            raise Unauthenticated
        if user.is_admin and not any(other.is_confirmed for other in users.values()):
            raise LastAdmin
        names = {user.username, user.email}
        guessed = [digest_of(name) for name in names | {name.lower() for name in names}]
        await session.execute(delete(Attempts).where(Attempts.digest.in_(guessed)))
        await session.execute(delete(User).where(User.id == user.id))
        await forget(session, user.id)
