"""What people ask is in no log, at any level, whatever happens to it."""

import asyncio
import logging

import pytest
from people import house

pytestmark = pytest.mark.integration

QUESTION = "Ma voisine Zénaïde a-t-elle droit au RSA"


@pytest.mark.parametrize("model", ["albert-extractif", "modele-inconnu"])
def test_a_question_asked_everywhere_is_in_no_log(
    database_uri: str, caplog: pytest.LogCaptureFixture, model: str
) -> None:
    async def play() -> None:
        async with house(database_uri) as here:
            person = here.camille
            chat = await person.post("/chat", {"chat_type": "qa"})
            asked = {"model_name": model, "query": QUESTION}
            await person.ask("POST", f"/stream/chat/{chat['id']}", asked)
            await person.ask("GET", "/stream/1/start")
            await person.ask("POST", "/indexes", {"name": "chunks", "query": QUESTION})
            await person.ask("POST", "/indexes", {"name": "chunks", "query": QUESTION * 999})
            await person.ask("GET", f"/chat/{QUESTION}")
            await here.settle()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(play())
    assert "Zénaïde" not in caplog.text
    assert "Z\\xe9na" not in caplog.text
    assert "Z%C3%A9na" not in caplog.text
