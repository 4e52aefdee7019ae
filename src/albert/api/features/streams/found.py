"""The sheets that a search found for a question."""

from __future__ import annotations

from collections.abc import Sequence

from albert.api.auth import Principal
from albert.api.database.engine import Database
from albert.api.features.ownership.rules import check_owner
from albert.api.features.streams.tables import Stream
from albert.domain.errors import ObjectNotFound


async def keep_found(
    database: Database, caller: Principal, stream_id: int, sids: Sequence[str]
) -> None:
    """Keep on the caller's own stream what a search found for it.

    Raises:
        ObjectNotFound, NotOwner
    """
    async with database.session() as session:
        stream = await session.get(Stream, stream_id)
        if stream is None:
            raise ObjectNotFound
        check_owner(caller, stream.user_id)
        stream.search_sids = list(sids)
