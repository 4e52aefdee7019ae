"""What a model of the table makes of bad servers."""

import asyncio
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
import pytest

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import (
    InferenceError,
    ModelDown,
    ModelNotFound,
    ModelOverloaded,
    ModelUnreachable,
)
from albert.routing.chat_model import RoutedChatModel
from albert.testing.services import Upstream, dispatcher_to

KEY = "sk-secret-0123456789"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
BON = b'data: {"choices": [{"delta": {"content": "Bon"}}]}\n\n'
STOP = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
QUICK = {"connect": 1.0, "first_byte": 0.3, "between_bytes": 0.1}

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(*reads: bytes) -> Behaviour:
    """A server that reads the request's head, writes these bytes one by one, and hangs up."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for read in reads:
            writer.write(read)
            await writer.drain()
            await asyncio.sleep(0)

    return behave


def answering(status: str, body: bytes = b"", *headers: bytes) -> Behaviour:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n".encode()
    return saying(head + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body)


@asynccontextmanager
async def routed(address: str, key: str = "") -> AsyncIterator[RoutedChatModel]:
    upstreams = {"mistral": Upstream(base_url=address, model="mistral", key=key)}
    dispatcher = dispatcher_to(upstreams, timeouts=QUICK)
    await dispatcher.open()
    try:
        yield RoutedChatModel(dispatcher, "mistral", window=4096)
    finally:
        await dispatcher.close()


@asynccontextmanager
async def model_at(behaviour: Behaviour) -> AsyncIterator[RoutedChatModel]:
    serving: set[asyncio.Task[object] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        await behaviour(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            address = f"http://127.0.0.1:{port}/v1"
            async with routed(address, key=KEY) as model:
                yield model
        finally:
            await asyncio.gather(*(task for task in serving if task))


def heard_from(behaviour: Behaviour) -> list[str]:
    async def scenario() -> list[str]:
        async with model_at(behaviour) as model:
            return [p async for p in model.stream([Message("user", "Bonjour")], Sampling())]

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        ("400 Bad Request", InferenceError, "refuse la demande (erreur 400)"),
        ("401 Unauthorized", ModelDown, "vérifiez adresse et clé"),
        ("403 Forbidden", ModelDown, "vérifiez adresse et clé"),
        ("404 Not Found", ModelNotFound, "'mistral'"),
        ("429 Too Many Requests", ModelOverloaded, "plus tard"),
        ("500 Internal Server Error", ModelUnreachable, "a échoué"),
        ("502 Bad Gateway", ModelUnreachable, "a échoué"),
        ("503 Service Unavailable", ModelOverloaded, "plus tard"),
        ("504 Gateway Timeout", ModelUnreachable, "a échoué"),
        ("204 No Content", ModelUnreachable, "illisible"),
    ],
)
def test_each_status_has_its_error(status: str, error: type[InferenceError], says: str) -> None:
    with pytest.raises(error) as raised:
        heard_from(answering(status))
    assert type(raised.value) is error
    assert says in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": 400, "type": "exceed_context_size_error"}}',  # llama.cpp
        b'{"error": {"code": "context_length_exceeded", "type": "invalid_request_error"}}',
    ],
)
def test_a_prompt_longer_than_the_window_has_its_own_words(body: bytes) -> None:
    with pytest.raises(InferenceError, match="dépasse ce que ce modèle peut lire"):
        heard_from(answering("400 Bad Request", body))


def test_a_web_page_is_no_answer() -> None:
    page = answering("200 OK", b"<html>Bienvenue</html>", b"Content-Type: text/html")
    with pytest.raises(InferenceError, match="illisible"):
        heard_from(page)


def test_a_model_is_given_words_and_neither_tool_nor_place_to_look() -> None:
    heard: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = re.findall(rb"(?i)content-length: (\d+)", head)
        heard.append(await reader.readexactly(int(length)))
        writer.write(STREAM + BON + STOP)
        await writer.drain()

    assert heard_from(behave) == ["Bon"]
    body = orjson.loads(heard[0])
    assert body["messages"] == [{"role": "user", "content": "Bonjour"}]
    assert not {"tools", "tool_choice", "functions", "web_search_options"} & body.keys()


def test_a_redirect_is_not_followed() -> None:
    moved = answering("307 Temporary Redirect", b"", b"Location: http://127.0.0.1:1/elsewhere")
    with pytest.raises(InferenceError, match=r"refuse \(307\)"):
        heard_from(moved)


@pytest.mark.parametrize("nonsense", [b"data: {\n\n", b"data: []\n\n", b'data: {"a": 1}\n\n'])
def test_nonsense_in_the_stream_is_an_error(nonsense: bytes) -> None:
    with pytest.raises(InferenceError, match="illisible"):
        heard_from(saying(STREAM, nonsense))


def test_nonsense_instead_of_http_is_an_error() -> None:
    with pytest.raises(InferenceError, match="illisible"):
        heard_from(saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"))


def test_an_error_of_the_server_within_the_stream_is_raised() -> None:
    with pytest.raises(InferenceError, match="pendant sa réponse"):
        heard_from(saying(STREAM, BON, b'data: {"error": {"message": "out of memory"}}\n\n'))


def test_an_answer_cut_half_way_is_an_error() -> None:
    with pytest.raises(ModelUnreachable, match="interrompue"):
        heard_from(saying(STREAM, BON))


def test_an_answer_that_says_it_is_over_needs_no_done() -> None:
    assert heard_from(saying(STREAM, BON, STOP)) == ["Bon"]


def test_the_text_that_comes_with_the_end_is_kept() -> None:
    last = b'data: {"choices": [{"delta": {"content": "jour"}, "finish_reason": "stop"}]}\n\n'
    assert heard_from(saying(STREAM, BON, last)) == ["Bon", "jour"]


def test_a_usage_chunk_without_choices_is_passed_over() -> None:
    usage = b'data: {"choices": [], "usage": {"total_tokens": 3}}\n\n'
    assert heard_from(saying(STREAM, BON, usage, b"data: [DONE]\n\n")) == ["Bon"]


def test_a_server_that_never_begins_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(ModelUnreachable, match="pas répondu à temps"):
        heard_from(silent)


def test_a_server_that_falls_silent_is_given_up() -> None:
    async def stops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + BON)
        await reader.read()

    with pytest.raises(ModelUnreachable, match="pas répondu à temps"):
        heard_from(stops)


def test_nobody_listening_is_unreachable() -> None:
    async def scenario() -> None:
        async with routed("http://127.0.0.1:1/v1") as model:
            with pytest.raises(ModelUnreachable, match="ne répond pas"):
                await anext(model.stream([], Sampling()))

    asyncio.run(scenario())


def test_a_connection_that_died_in_the_pool_is_opened_again_once() -> None:
    calls: list[int] = []

    async def dead_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(1)
        if len(calls) > 1:
            await saying(STREAM, BON, b"data: [DONE]\n\n")(reader, writer)
        else:
            await reader.readuntil(b"\r\n\r\n")

    assert heard_from(dead_at_first) == ["Bon"]
    assert len(calls) == 2


def test_closing_the_iterator_closes_the_connection() -> None:
    async def scenario() -> None:
        left = asyncio.Event()

        async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(STREAM + BON)
            while await reader.read(1000):
                pass
            left.set()

        async with model_at(endless) as model:
            pieces = model.stream([Message("user", "Bonjour")], Sampling())
            assert await anext(pieces) == "Bon"
            await pieces.aclose()
            await asyncio.wait_for(left.wait(), timeout=5)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "behaviour",
    [answering("401 Unauthorized"), saying(b"nonsense\r\n\r\n"), saying(STREAM, b"data: {\n\n")],
)
def test_the_key_stands_in_no_message(behaviour: Behaviour) -> None:
    async def scenario() -> str:
        async with model_at(behaviour) as model:
            with pytest.raises(InferenceError) as raised:
                await anext(model.stream([], Sampling()))
            return "".join([*traceback.format_exception(raised.value), repr(model)])

    assert KEY not in asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("abcd", 2),  # two bytes a token
        ("1234", 4),  # some vocabularies hold no number of two digits
        ("été", 3),  # five bytes, rounded up
        ("a@b.fr", 4),  # @ and . alone, then four letters
    ],
)
def test_tokens_are_bounded_from_above(text: str, tokens: int) -> None:
    async def scenario() -> int:
        async with routed("http://127.0.0.1:1/v1") as model:
            return model.count(text)

    assert asyncio.run(scenario()) == tokens
