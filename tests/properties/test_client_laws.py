"""However often and wherever the connection breaks, an answer is read whole, and once."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from albert.client.errors import ServiceUnreachable
from albert.client.resuming import AsyncAnswerStream

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), max_size=8)


def chunk(event_id: str, text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"id: {event_id}\ndata: {json.dumps({'choices': [choice]})}\n\n".encode()


def told(pieces: list[str], position: int) -> bytes:
    """What the service says to a reader who has heard ``position`` characters."""
    said, end = b": heartbeat\n\n", 0
    for piece in pieces:
        end += len(piece)
        if end > position:
            said += chunk(str(end), piece[max(0, len(piece) - (end - position)) :])
    return said + chunk("end", "", "stop") + b"data: [DONE]\n\n"


class Broken:
    """Bytes that come ``size`` at a time, until the connection breaks after ``cut`` of them."""

    nothing_left = False

    def __init__(self, said: bytes, cut: int, size: int) -> None:
        self._parts = [said[:cut][at : at + size] for at in range(0, len(said[:cut]), size)]

    async def read(self) -> bytes:
        if not self._parts:
            raise ServiceUnreachable
        return self._parts.pop(0)

    def close(self) -> None:
        self._parts = []


class BreakingService:
    def __init__(self, pieces: list[str], cuts: list[int], size: int) -> None:
        self._pieces = pieces
        self._cuts = cuts
        self._size = size

    async def events(self, path: str, last_event_id: str) -> Broken:
        assert path == "/stream/7/start"
        said = told(self._pieces, int(last_event_id or "0"))
        return Broken(said, self._cuts.pop() if self._cuts else len(said), self._size)

    async def ask(self, method: str, path: str) -> bytes:
        raise AssertionError(f"{method} {path}: nobody stops this answer")


@given(TEXTS, st.lists(st.integers(0, 600), max_size=6), st.integers(1, 200))
def test_an_answer_is_whole_however_it_is_cut(
    pieces: list[str], cuts: list[int], size: int
) -> None:
    service = BreakingService(pieces, list(cuts), size)
    stream = AsyncAnswerStream(service, 7, delays=(0.0,) * 7)

    async def read() -> list[str]:
        return [piece async for piece in stream]

    heard = asyncio.run(read())

    assert "".join(heard) == "".join(pieces)
    assert stream.answer.text == "".join(pieces)
    assert all(heard)
