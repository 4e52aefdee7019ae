"""What is written in one turn of the loop leaves together, and nothing is lost at the end."""

import asyncio
from collections.abc import Callable

from albert.asgi.gathered import Gathering


class Wire:
    """A transport that remembers its writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 7


def written(play: Callable[[Gathering], object]) -> tuple[list[bytes], list[bytes], bool]:
    """Return what was written at once, what was in the end, and whether it was closed."""

    async def run() -> tuple[list[bytes], list[bytes], bool]:
        wire = Wire()
        play(Gathering(wire, asyncio.get_running_loop()))  # type: ignore[arg-type]  # all it needs
        at_once = list(wire.written)
        await asyncio.sleep(0)
        return at_once, wire.written, wire.closed

    return asyncio.run(run())


def test_writes_of_one_turn_are_one_write_at_its_end() -> None:
    def play(transport: Gathering) -> None:
        transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
        transport.write(b"")
        transport.write(b"{}")

    assert written(play) == ([], [b"HTTP/1.1 200 OK\r\n\r\n{}"], False)


def test_what_is_kept_is_written_before_closing_and_once() -> None:
    def play(transport: Gathering) -> None:
        transport.write(b"fin")
        transport.close()

    assert written(play) == ([b"fin"], [b"fin"], True)


def test_more_than_64_kib_are_written_at_once() -> None:
    def play(transport: Gathering) -> None:
        transport.write(b"a" * (1 << 16))
        transport.write(b"b")
        transport.write(b"c")

    assert written(play) == ([b"a" * (1 << 16) + b"b"], [b"a" * (1 << 16) + b"b", b"c"], False)


def test_the_rest_is_the_transport_s_own() -> None:
    sizes: list[int] = []
    written(lambda transport: sizes.append(transport.get_write_buffer_size()))
    assert sizes == [7]


def test_nothing_is_written_to_a_reader_who_left_meanwhile() -> None:
    wire = Wire()

    async def run() -> None:
        transport = Gathering(wire, asyncio.get_running_loop())  # type: ignore[arg-type]  # all it needs
        transport.write(b"trop tard")
        wire.close()
        await asyncio.sleep(0)

    asyncio.run(run())
    assert wire.written == []
