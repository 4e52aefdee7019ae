"""Without the key, nothing of vLLM's server is reached but its health."""

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

import pytest

from albert.serving.engines import vllm

PLACE = Path(vllm.__file__).with_name("beside_vllm") / "albert_door.py"
Event = dict[str, object]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Event, None, Send], Coroutine[None, None, None]]

PATHS = ["/v1/models", "/invocations", "/tokenize", "/metrics", "/", "/health/../invocations"]


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Application:
    """The door, before a house that answers 200 to everything."""
    spec = importlib.util.spec_from_file_location("albert_door", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("VLLM_API_KEY", "la-clé")

    async def house(scope: Event, receive: None, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    door: Application = module.Door(house)
    return door


def answer(door: Application, path: str, said: bytes | None, kind: str = "http") -> Event:
    """Return the first event sent back."""
    sent: list[Event] = []

    async def send(event: Event) -> None:
        sent.append(event)

    headers = [] if said is None else [(b"authorization", said)]
    asyncio.run(door({"type": kind, "path": path, "headers": headers}, None, send))
    return sent[0]


@pytest.mark.parametrize("said", [None, b"", b"Bearer ", b"Bearer autre", "la-clé".encode()])
@pytest.mark.parametrize("path", PATHS)
def test_nobody_enters_without_the_key(door: Application, path: str, said: bytes | None) -> None:
    assert answer(door, path, said)["status"] == 401


@pytest.mark.parametrize("path", PATHS)
def test_the_key_opens_everything(door: Application, path: str) -> None:
    assert answer(door, path, "Bearer la-clé".encode())["status"] == 200


def test_health_is_for_everybody(door: Application) -> None:
    assert answer(door, "/health", None)["status"] == 200


def test_a_socket_is_closed_before_it_opens(door: Application) -> None:
    assert answer(door, "/v1/realtime", None, "websocket")["type"] == "websocket.close"
