"""An answer read piece by piece, taken up again where the connection was lost."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from albert.client.errors import AnswerCut, AnswerFailed, ApiError, ReplyInvalid, ServiceUnreachable
from albert.client.forms import Answer, Citation, Finding, read
from albert.wire.sse import Decoder, ServerEvent

DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each new connection: 7.75 in all, of the 15 for which a service waits."""
_PASSING = {502, 503, 504}
_PASSING_CODES = {None, "stopping", "database_unavailable"}
"""``None`` is a proxy's; with another code, it is the answer itself that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RagContext:
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Error:
    message: str = ""
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delta:
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    delta: _Delta = _Delta()
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """One chunk of OpenAI's, and Albert's own fields on the last one."""

    model: str = ""
    choices: tuple[_Choice, ...] = ()
    error: _Error | None = None
    state: str = "done"
    answered: bool | None = None
    mode: str | None = None
    sources: tuple[Citation, ...] = ()
    findings: tuple[Finding, ...] = ()
    rag_context: tuple[_RagContext, ...] = ()

    @property
    def text(self) -> str:
        return "".join(choice.delta.content or "" for choice in self.choices)

    @property
    def last(self) -> bool:
        return any(choice.finish_reason is not None for choice in self.choices)


class Source(Protocol):
    """Bytes of events, as they come."""

    @property
    def nothing_left(self) -> bool:
        """Whether everything was heard before."""

    async def read(self) -> bytes:
        """Return at least one byte; raise ``ServiceUnreachable`` where no more come."""

    def close(self) -> None: ...


class Service(Protocol):
    """What reading an answer needs of a connection."""

    async def events(self, path: str, last_event_id: str) -> Source: ...

    async def ask(self, method: str, path: str) -> bytes: ...


class AsyncAnswerStream:
    """The pieces of one answer, in order, none twice and none missing.

    Iterate over it, then look at ``answer``. A lost connection is taken up again, after
    ``delays``, as many times as there are delays between two pieces.
    """

    def __init__(
        self, service: Service, stream_id: int, *, delays: tuple[float, ...] = DELAYS
    ) -> None:
        self.id = stream_id
        self._service = service
        self._delays = delays
        self._lost = 0
        """Connections lost since the last piece."""
        self._source: Source | None = None
        self._decoder = Decoder()
        self._said: list[str] = []
        self._position = 0
        self._ready: deque[str] = deque()
        self._finish: _Event | None = None
        self._over = False

    def __repr__(self) -> str:
        return f"<answer {self.id}: {self._position} characters>"

    @property
    def text(self) -> str:
        """What was received so far."""
        return "".join(self._said)

    @property
    def answer(self) -> Answer:
        """The whole answer, once every piece was read.

        Raises:
            RuntimeError: it is not over.
        """
        finish = self._finish
        if finish is None or not self._over or finish.error is not None:
            raise RuntimeError("the answer is not over: read its pieces first")
        return Answer(
            stream_id=self.id,
            model=finish.model,
            text=self.text,
            state=finish.state,
            answered=finish.answered,
            mode=finish.mode,
            sources=finish.sources,
            findings=finish.findings,
            references=tuple(hash_ for one in finish.rag_context for hash_ in one.references),
        )

    async def next_piece(self) -> str | None:
        """Return what comes next of the text, never empty; ``None`` at the end.

        Raises:
            AnswerCut: the connection is lost and was not found again; call again to try again.
            AnswerFailed: the service gave up; the pieces before were given.
            ApiError: it refuses.
            ReplyInvalid: what it says is no stream of an answer.
        """
        while not self._ready and not self._over:
            await self._advance()
        if self._ready:
            return self._ready.popleft()
        if self._finish is not None and (error := self._finish.error) is not None:
            raise AnswerFailed(error.message, code=error.code, text=self.text)
        return None

    async def whole(self) -> Answer:
        """Read to the end and return the answer; raises as ``next_piece`` does."""
        while await self.next_piece() is not None:
            pass
        return self.answer

    async def stop(self) -> None:
        """Have the answer stopped, on the model's side too; what was written can still be read."""
        await self._service.ask("POST", f"/stream/{self.id}/stop")

    async def close(self) -> None:
        """Stop reading. The service writes on for some seconds, in case its reader comes back."""
        self._hang_up()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        piece = await self.next_piece()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        await self.close()

    async def _advance(self) -> None:
        """Hear what comes next, or connect again."""
        try:
            source = self._source or await self._connect()
            if not self._over:
                for event in self._decoder.feed(await source.read()):
                    self._hear(event)
        except ServiceUnreachable as lost:
            await self._lose(str(lost))
        except ReplyInvalid:
            self._hang_up()
            raise
        except ApiError as refused:
            if refused.status not in _PASSING or refused.code not in _PASSING_CODES:
                raise
            await self._lose(refused.message)
        if self._over:
            self._hang_up()

    async def _connect(self) -> Source:
        heard = str(self._position) if self._position else ""
        self._source = await self._service.events(f"/stream/{self.id}/start", heard)
        self._decoder = Decoder()
        if self._source.nothing_left:
            self._end()
        return self._source

    async def _lose(self, why: str) -> None:
        self._hang_up()
        if self._finish is not None:  # only the end of the stream is missing
            self._end()
            return
        if self._lost == len(self._delays):
            self._lost = 0
            raise AnswerCut(why, self.text)
        self._lost += 1
        await asyncio.sleep(self._delays[self._lost - 1])

    def _hear(self, event: ServerEvent) -> None:
        if self._over:
            return
        if event.data == "[DONE]":
            self._end()
            return
        chunk = read(_Event, event.data.encode())
        if chunk.text:
            self._add(chunk.text, event.id)
        if chunk.last or chunk.error is not None:
            self._finish = chunk

    def _add(self, text: str, event_id: str | None) -> None:
        """Keep what is new of ``text``, which ends at the position that ``event_id`` tells."""
        end = self._position + len(text)
        if event_id is not None:
            with suppress(ValueError):
                end = int(event_id)
        missing = end - len(text) - self._position
        if missing > 0:
            raise ServiceUnreachable(f"Il manque {missing} caractères à la réponse.")
        new = text[-missing:] if missing else text
        if new:
            self._said.append(new)
            self._ready.append(new)
            self._position = end
            self._lost = 0

    def _end(self) -> None:
        if self._finish is None:
            self._finish = _Event()
        self._over = True

    def _hang_up(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None
