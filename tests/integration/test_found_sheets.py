"""A search that names a question keeps the sheets it found on it."""

import asyncio

import pytest
from people import house

pytestmark = pytest.mark.integration


def test_the_sheets_found_are_kept_once_each_on_ones_own_question(database_uri: str) -> None:
    async def play() -> None:
        async with house(database_uri) as here:
            asked = await here.camille.question()
            search = {"name": "chunks", "query": "passeport", "stream_id": asked["id"]}
            await here.camille.post("/indexes", search)
            kept = await here.camille.get(f"/stream/{asked['id']}")
            stranger = await here.neighbour.ask("POST", "/indexes", search)

            assert kept["search_sids"] == ["F14929"]
            assert stranger.status == 403

    asyncio.run(play())
