"""Having an answer written, and keeping how it ended, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from albert.api.database.engine import Database
from albert.api.features.streams.generation import Ended, Ending, Generation
from albert.api.features.streams.keeping import Journal, Record, keep_prompt, settle
from albert.api.provenance import provenance
from albert.asgi.problems import Problem, internal, problem_of
from albert.assistant.closing import closing
from albert.assistant.contract import Answerer, Event, Finish, Piece, Question, Sources
from albert.domain.documents import Chunk
from albert.domain.errors import AlbertError, DatabaseError, DatabaseUnavailable

_log = logging.getLogger(__name__)

_FAR = 1 << 16
"""Characters that may wait to be kept before the model is made to wait."""
_SETTLING = 20.0
"""Seconds for which we try to keep how an answer ended; later, the next look at orphans does."""

Ask = Callable[[], Awaitable[tuple[Answerer, Question]]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What writing needs of its worker."""

    database: Database
    journal: Journal
    count: Callable[[str], int]
    """Tokens of a text, roughly; may take milliseconds."""


class Writing:
    """One answer, from its question to its end."""

    def __init__(self, desk: Desk, generation: Generation, ask: Ask) -> None:
        self._desk = desk
        self._generation = generation
        self._ask = ask
        self._found: tuple[Chunk, ...] = ()
        self._prompt = ""
        self._finish: Finish | None = None

    async def run(self) -> None:
        """Write to the end; cancelling ends it as interrupted, an error as failed."""
        state: Ending = "interrupted"
        problem: Problem | None = internal()
        try:
            answerer, question = await self._ask()
            await self._hear_all(answerer.answer(question))
            state, problem = ("done", None) if self._finish else ("failed", problem)
        except asyncio.CancelledError:
            problem = None
        except Problem as error:
            state, problem = "failed", error
        except AlbertError as error:
            state, problem = "failed", problem_of(error)
        finally:
            if problem is not None:
                state = "failed"
            await self._settle(state, problem)

    async def _hear_all(self, events: AsyncIterator[Event]) -> None:
        async with closing(events):
            async for event in events:
                await self._hear(event)

    async def _hear(self, event: Event) -> None:
        match event:
            case Sources(chunks, prompt):
                self._found, self._prompt = chunks, prompt
                await self._keep_prompt()
            case Piece(said):
                await self._say(said)
            case Finish():
                self._finish = event

    async def _keep_prompt(self) -> None:
        async with self._desk.database.session() as session:
            await keep_prompt(
                session,
                self._generation.stream_id,
                prompt=self._prompt,
                chunks=[chunk.id for chunk in self._found],
                sids=list(dict.fromkeys(chunk.sheet for chunk in self._found)),
            )

    async def _say(self, said: str) -> None:
        """Add a piece, without what PostgreSQL cannot hold: NUL, and halves of characters."""
        clean = said.replace("\0", "").encode("utf-8", "replace").decode()
        if not clean:
            return
        generation = self._generation
        generation.text.add(clean)
        self._desk.journal.add(generation)
        await generation.room(_FAR)

    async def _settle(self, state: Ending, problem: Problem | None) -> None:
        """Keep the end, then tell the readers; the text that nobody kept is not told."""
        generation = self._generation
        whole = str(generation.text)
        finish: dict[str, Any] = {}
        if self._finish is not None:
            finish = dict(provenance(self._found, self._finish))
        if problem is not None:
            finish |= _failure(problem)
        record = Record(
            state=state,
            response=whole,
            finish=finish,
            prompt_tokens=await asyncio.to_thread(self._desk.count, self._prompt),
            completion_tokens=await asyncio.to_thread(self._desk.count, whole),
        )
        try:
            async with asyncio.timeout(_SETTLING):
                kept = await self._keep_end(record)
        except TimeoutError:
            _log.warning("end of an answer not kept", extra={"action": "stream_not_settled"})
            generation.end(
                Ended(state="failed", finish=_failure(problem_of(DatabaseUnavailable())))
            )
            return
        if kept:
            generation.keep(generation.text.count)
        generation.end(Ended(state=state, finish=finish, length=len(whole)))

    async def _keep_end(self, record: Record) -> bool:
        """Say whether the end was kept: not if the stream was erased, or taken for dead."""
        worker = self._desk.database.listener.worker
        while True:
            try:
                async with self._desk.database.session() as session:
                    return await settle(session, self._generation.stream_id, worker, record)
            except DatabaseError:
                await asyncio.sleep(0.5)


def _failure(problem: Problem) -> dict[str, Any]:
    """What is kept of an error, for those who read the answer later."""
    return {"error": problem.body()["error"], "status": problem.status}
