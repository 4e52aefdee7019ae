"""The data of a server-sent event stream, as its bytes come (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

import re

LIMIT = 1 << 20
"""Bytes of one event; more is no chat completion."""

_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")  # a last CR waits: the LF may be in the next read


class EventStream:
    """Feed it bytes, cut anywhere, even within a character; it gives each event's data."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[str]:
        """Return the data of the events that ``chunk`` completes; comments give nothing.

        Raises:
            ValueError: an event is not UTF-8, or longer than ``LIMIT``.
        """
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        if len(self._rest) + sum(map(len, self._data)) > LIMIT:
            raise ValueError("event too long")
        complete = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                complete.append(b"\n".join(self._data).decode())
                self._data.clear()
        return complete
