"""The journal of the engines: their own lines, each with the name of its model, within bounds."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import pairwise
from pathlib import Path

_LONGEST_LINE = 2000
_LAST_LINES = 5


class EngineLog:
    """One file of at most ``limit`` bytes, and as many of its predecessors as ``kept``."""

    def __init__(self, file: Path, name: str, *, limit: int = 5 << 20, kept: int = 2) -> None:
        self.file = file
        self.last: deque[str] = deque(maxlen=_LAST_LINES)
        """What the engine said last."""
        self._prefix = f"{name} | "
        self._limit = limit
        self._kept = kept

    async def follow(self, stream: asyncio.StreamReader, secret: str) -> None:
        """Keep every line until the stream ends, ``secret`` hidden wherever it stands.

        Never stops reading: an engine whose output is full would hang.
        """
        rest = b""
        while piece := await stream.read(1 << 16):
            *whole, rest = (rest + piece).split(b"\n")
            if len(rest) > _LONGEST_LINE * 4:
                whole, rest = [*whole, rest], b""
            await self._keep(whole, secret)
        await self._keep([rest] if rest else [], secret)

    async def say(self, text: str) -> None:
        """Add a line of our own."""
        await asyncio.to_thread(self._write, f"{self._prefix}[albert] {text}\n")

    async def _keep(self, octets: list[bytes], secret: str) -> None:
        lines = [line for raw in octets if (line := self._readable(raw, secret))]
        if lines:
            self.last.extend(lines)
            text = "".join(f"{self._prefix}{line}\n" for line in lines)
            await asyncio.to_thread(self._write, text)

    def _readable(self, raw: bytes, secret: str) -> str:
        line = raw.decode("utf-8", "replace").rstrip()
        line = line.replace(secret, "***") if secret else line
        if len(line) > _LONGEST_LINE:
            line = line[:_LONGEST_LINE] + " […]"
        return "".join(sign if sign.isprintable() or sign == "\t" else " " for sign in line)

    def _write(self, text: str) -> None:
        """A disk that is full costs lines, not the engine."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.file.exists() and self.file.stat().st_size + len(text) > self._limit:
                self._turn()
            with self.file.open("a", encoding="utf-8") as out:
                out.write(text)
        except OSError:
            return

    def _turn(self) -> None:
        names = [self.file, *(Path(f"{self.file}.{n}") for n in range(1, self._kept + 1))]
        for newer, older in reversed(list(pairwise(names))):
            if newer.exists():
                newer.replace(older)
