"""One codec for server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n|\r|\n")

LIMIT = 1 << 20
"""Characters of one event; more is no chat completion."""

DONE = b"data: [DONE]\n\n"
"""How OpenAI ends a stream."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. Line ends in ``data`` become line feeds: the wire knows no other.

    ``id`` is ``None`` where the event carries none. ``name`` and ``id`` are one line each.
    """

    data: str
    name: str = ""
    id: str | None = None
    retry: int | None = None
    """Milliseconds before the reader connects again."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", _LINE_END.sub("\n", self.data))
        if (
            _LINE_END.search(self.name)
            or _LINE_END.search(self.id or "")
            or "\0" in (self.id or "")
        ):
            raise ValueError(
                f"name and id of an event are one line, without NUL: {self.name!r}, {self.id!r}"
            )


def encode(event: ServerEvent) -> bytes:
    """Return the event's bytes, ended by its blank line."""
    lines = [f"data: {line}" for line in event.data.split("\n")]
    if event.name:
        lines.insert(0, f"event: {event.name}")
    if event.id is not None:
        lines.append(f"id: {event.id}")
    if event.retry is not None:
        lines.append(f"retry: {event.retry}")
    return "\n".join((*lines, "", "")).encode()


def frame(payload: bytes) -> bytes:
    """Return an event of one line of data, already encoded: the short way for JSON."""
    return b"data: " + payload + b"\n\n"


def comment(text: str = "") -> bytes:
    """Return a line that readers ignore and that keeps proxies awake."""
    return b"".join(b": " + line.encode() + b"\n" for line in _LINE_END.split(text)) + b"\n"


class Decoder:
    """Bytes in any cut become events; an event whose blank line has not come yet is held back.

    As a browser does, it replaces what is not UTF-8 and holds an event of any length;
    ``strict``, for a server that may be anything, it refuses both.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._text = codecs.getincrementaldecoder("utf-8-sig")("strict" if strict else "replace")
        self._rest = ""
        self._after_return = False
        self._begin()

    def feed(self, data: bytes) -> list[ServerEvent]:
        """Return the events that ``data`` completes, in order.

        Raises:
            ValueError: if strict, where an event is not UTF-8, or longer than ``LIMIT``.
        """
        text = self._text.decode(data)
        if text and self._after_return:
            text = text.removeprefix("\n")
            self._after_return = False
        if text.endswith("\r"):  # its line feed may come with the next bytes
            self._after_return = True
        *lines, self._rest = _LINE_END.split(self._rest + text)
        found = [event for line in lines if (event := self._line(line)) is not None]
        if self._strict and len(self._rest) + sum(map(len, self._data)) > LIMIT:
            raise ValueError("event too long")
        return found

    def _begin(self) -> None:
        self._data: list[str] = []
        self._name = ""
        self._id: str | None = None
        self._retry: int | None = None

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._name = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self._retry = int(value)
        return None

    def _dispatch(self) -> ServerEvent | None:
        event = (
            ServerEvent("\n".join(self._data), self._name, self._id, self._retry)
            if self._data
            else None
        )
        self._begin()
        return event
