"""What the table names, as ``albert doctor`` finds it: over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from examined import free_port, levels, machine, mute
from http_double import Answer, Host, serving

from albert.deploy.checks.finding import Finding
from albert.deploy.checks.mail import check_mail
from albert.deploy.checks.reach import check_reach
from albert.routing.table import Replica, RoutedModel

KEY = "une-cle-bien-secrete"


def loin(address: str, *, variable: str = "CLE_KEY") -> RoutedModel:
    replica = Replica(host=address, key_variable=variable)
    return RoutedModel(name="loin", driver="openai", served_name="grand", replicas=(replica,))


def reached(address: str, home: Path, **more: str) -> list[Finding]:
    async def scenario() -> list[Finding]:
        return await _reached(address, home, **more)

    return asyncio.run(scenario())


async def _reached(address: str, home: Path, **more: str) -> list[Finding]:
    values = {"ALBERT_HOME": str(home), "CLE_KEY": KEY, **more}
    async with machine(values, loin(address), seconds=1.0) as examined:
        told = await check_reach(examined)
    assert KEY not in str(told)
    return told


def models(*names: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return web.Response(status=401)
        return web.json_response({"data": [{"id": name} for name in names]})

    return answer


def status(code: int, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers)

    return answer


async def asked_of(answer: Answer, home: Path, **more: str) -> tuple[list[Finding], Host]:
    async with serving(answer) as host:
        return await _reached(f"{host.address}/v1", home, **more), host


def test_a_service_that_knows_our_key_and_the_model_is_well(tmp_path: Path) -> None:
    told, host = asyncio.run(asked_of(models("grand"), tmp_path))
    assert levels(told) == ["ok"]
    assert [path for path, _ in host.asked] == ["/v1/models"]


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        (status(401), "error", "la clé est refusée (401)"),
        (status(302, location="http://127.0.0.1:1/"), "error", "renvoie ailleurs (302)"),
        (status(503), "warning", "répond 503"),
        (status(404), "warning", "répond 404"),
        (models("petit"), "warning", "sert petit, et non « grand »"),
    ],
)
def test_an_answer_that_is_not_the_one_awaited_is_a_sentence(
    answer: Answer, level: str, said: str, tmp_path: Path
) -> None:
    told, host = asyncio.run(asked_of(answer, tmp_path))
    (finding,) = told
    assert finding.level == level
    assert said in finding.said
    assert len(host.asked) == 1  # no redirect was followed


def test_a_wrong_key_names_its_variable(tmp_path: Path) -> None:
    ((finding,), _) = asyncio.run(asked_of(models("grand"), tmp_path, CLE_KEY="une-autre"))
    assert (finding.level, finding.remedy) == ("error", "Corrigez CLE_KEY.")


def test_a_key_that_is_not_given_is_an_error(tmp_path: Path) -> None:
    (missing, refused), _ = asyncio.run(asked_of(models("grand"), tmp_path, CLE_KEY=""))
    assert missing.said.startswith("CLE_KEY manque")
    assert refused.level == "error"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://inexistant.invalid/v1", "son nom n'a pas d'adresse"),
        ("http://127.0.0.1:{closed}/v1", "rien n'y écoute"),
        ("http://127.0.0.1:{mute}/v1", "rien ne répond en 1 secondes"),
        ("https://127.0.0.1:{plain}/v1", "ce n'est pas du TLS qui répond"),
    ],
)
def test_an_address_out_of_reach_says_why(address: str, said: str, tmp_path: Path) -> None:
    async def scenario(port: int) -> list[Finding]:
        async with serving(status(200)) as host:
            plain = host.address.rpartition(":")[2]
            place = address.format(closed=free_port(), mute=port, plain=plain)
            return await _reached(place, tmp_path)

    with mute() as port:
        (finding,) = asyncio.run(scenario(port))
    assert finding.level == "error"
    assert said in finding.said
    assert finding.remedy


def test_a_service_of_ours_that_is_not_launched_yet_is_a_warning(tmp_path: Path) -> None:
    async def scenario() -> list[Finding]:
        ours = RoutedModel(name="m", replicas=(Replica(host="127.0.0.1", port=free_port()),))
        values = {"ALBERT_HOME": str(tmp_path), "API_HOSTS": "api1"}
        async with machine(values, ours, host="api1") as examined:
            return await check_reach(examined)

    (finding,) = asyncio.run(scenario())
    assert finding.level == "warning"
    assert "rien n'y écoute" in finding.said


def test_a_machine_without_an_api_asks_nothing(tmp_path: Path) -> None:
    assert levels(reached("http://inexistant.invalid/v1", tmp_path, API_HOSTS="ailleurs")) == ["ok"]


@asynccontextmanager
async def greeting(words: bytes) -> AsyncIterator[int]:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("words", "level"), [(b"220 bonjour\r\n", "ok"), (b"HTTP/1.1 400 Bad\r\n", "error")]
)
def test_a_mail_server_must_greet(words: bytes, level: str, tmp_path: Path) -> None:
    async def scenario() -> list[Finding]:
        async with greeting(words) as port:
            values = {"ALBERT_HOME": str(tmp_path), "SMTP_HOST": "127.0.0.1"}
            async with machine({**values, "SMTP_PORT": str(port)}) as examined:
                return await check_mail(examined)

    assert levels(asyncio.run(scenario())) == [level]


def test_a_mail_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async def scenario() -> list[Finding]:
        values = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(free_port()), "SMTP_PASSWORD": KEY}
        async with machine({"ALBERT_HOME": str(tmp_path), **values}) as examined:
            return await check_mail(examined)

    (finding,) = asyncio.run(scenario())
    assert finding.level == "error"
    assert "rien n'y écoute" in finding.said


def test_a_key_that_the_table_does_not_name_is_an_error(tmp_path: Path) -> None:
    async def scenario() -> list[Finding]:
        here = RoutedModel(name="m", driver="llama.cpp", file="m.gguf")
        values = {"ALBERT_HOME": str(tmp_path), "LLM_API_KEY": KEY}
        async with machine(values, here) as examined:
            return await check_reach(examined)

    (finding,) = asyncio.run(scenario())
    assert finding.level == "error"
    assert '"key_variable": "LLM_API_KEY"' in finding.remedy
