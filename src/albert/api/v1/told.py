"""What is read of an engine's stream as it passes: what it cost, and where its events end."""

from __future__ import annotations

import re
import time

import orjson

from albert.api.call import Call
from albert.wire.sse import LIMIT

_USAGE = re.compile(rb'(?<!\\)"usage":\s?\{')
_END = re.compile(rb"\r?\n\r?\n")
DONE = b"[DONE]"
_PROGRESS = b'"prompt_progress"'
"""Within a text its quotes would be escaped."""


class StreamReading:
    """Passes whole events on, unchanged; ``done`` once the engine said its last.

    A usage event that the reader did not ask for is kept from it: clients of the first
    generation read ``choices[0]`` of every event.
    """

    def __init__(self, call: Call, *, asked: bool) -> None:
        self._call = call
        self._asked = asked
        self._rest = b""
        self._events = 0
        self._counted = False
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Return what may be told now.

        Raises:
            ValueError: an event is longer than any model's.
        """
        if self._rest:
            data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:  # not found
            end = data.rfind(b"\r\n\r\n") + 4
            end = end if end >= 4 else 0
        self._rest = data[end:]
        if len(self._rest) > LIMIT:
            raise ValueError
        told = data[:end]
        if _PROGRESS in told:
            told = self._without_progress(told)
        if told and not self._call.first:
            self._call.first = time.perf_counter()
        self._events += told.count(b"data:")
        if _USAGE.search(told):
            told = self._read_usage(told)
        if DONE in told[-40:]:
            self.done = True
        return told

    def end(self) -> bytes:
        """Return what the engine left without its end, and count what it did not."""
        if not self._counted and self._events:
            self._call.completion_tokens = self._events
        return self._rest

    def _without_progress(self, told: bytes) -> bytes:
        """Drop what llama.cpp says while it reads, which we asked for, and nobody else."""
        events = (event + b"\n\n" for event in _END.split(told) if event)
        return b"".join(event for event in events if _PROGRESS not in event)

    def _read_usage(self, told: bytes) -> bytes:
        kept = []
        for event in _END.split(told):
            if _USAGE.search(event) and self._is_usage_alone(event) and not self._asked:
                continue
            if event:
                kept.append(event + b"\n\n")
        return b"".join(kept)

    def _is_usage_alone(self, event: bytes) -> bool:
        """Read an event's usage, and say whether it tells nothing else."""
        try:
            value = orjson.loads(event[event.index(b"{") :])
        except (orjson.JSONDecodeError, ValueError):
            return False
        self._counted = spent(self._call, value) or self._counted
        return isinstance(value, dict) and value.get("choices") == []


def spent(call: Call, value: object) -> bool:
    """Note what an answer says that it cost, and say whether it does."""
    if not isinstance(value, dict) or not isinstance(usage := value.get("usage"), dict):
        return False
    # what ranks says a total alone
    call.prompt_tokens = _count(usage, "prompt_tokens", "input_tokens", "total_tokens")
    call.completion_tokens = _count(usage, "completion_tokens", "output_tokens")
    details = usage.get("prompt_tokens_details")
    call.cached_tokens = _count(details, "cached_tokens") if isinstance(details, dict) else 0
    return True


def _count(usage: dict[str, object], *names: str) -> int:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and value >= 0:
            return value
    return 0
