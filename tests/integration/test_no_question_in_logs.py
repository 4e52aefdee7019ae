"""What people ask is in no log, at any level, whatever happens to it."""

import asyncio
import logging

import pytest
from people import house

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.call_log import CallLog
from albert.cli.logs import JsonLines

pytestmark = pytest.mark.integration

CALL = Call(
    request_id="r",
    principal=Principal(user_id=1, username="camille@exemple.fr"),
    model="m",
    operation="completions",
)
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
    told = caplog.text + "".join(map(JsonLines().format, caplog.records))
    assert "Zénaïde" not in told
    assert "Z\\xe9na" not in told
    assert "Z%C3%A9na" not in told


def test_no_token_nor_address_is_in_a_log(
    database_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A token is deleted by its own address, is refused, and asks a model with the log at work."""
    tokens: list[str] = []

    async def play() -> None:
        async with house(database_uri) as here:
            person = here.camille
            token = str(await person.post("/user/token/new", {"name": "essai"}))
            tokens.append(token)
            await person.ask("GET", "/user/me")
            await person.ask("DELETE", f"/user/token/{token}")
            await person.ask("DELETE", f"/user/token/{token}")
            await here.settle()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(play())
        CallLog().ended(CALL)
    told = caplog.text + "".join(map(JsonLines().format, caplog.records))
    assert "albert.calls" in told
    assert tokens[0] not in told
    assert "@exemple.fr" not in told
