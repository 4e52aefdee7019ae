"""Texts of many callers gathered into the batches of one embedder."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from albert.domain.errors import ModelOverloaded, ModelUnreachable
from albert.inference.contract import Embedder, Vectors
from albert.inference.texts import embeddable

Role = Literal["query", "document"]

_MOST_PATIENCE = 60
"""Seconds after which a refused caller may come back at the latest."""


class Batcher:
    """An embedder before which many callers wait, fairly.

    Calls take turns, a text each, so that one of 2,048 passages holds up no other.
    Queries have places of their own in the engine, and never wait for passages. Nothing
    waits for a batch to fill: what is there when a place becomes free makes the batch.
    A text whose caller has left is not begun; a batch that nobody awaits any more is
    cancelled. When a batch of several calls fails by the fault of one, each is tried
    again alone.
    """

    def __init__(
        self, embedder: Embedder, *, batch: int = 1, concurrent: int = 2, waiting: int = 4096
    ) -> None:
        """``batch`` texts go to the engine at once, ``concurrent`` times for each role.

        ``waiting`` bounds the texts that wait, for each role; a call that finds nobody
        waiting is taken whatever its size.
        """
        self._embedder = embedder
        self._lanes = {role: _Lane(embedder, role, batch, concurrent, waiting) for role in _ROLES}

    @property
    def model(self) -> str:
        return self._embedder.model

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    def token_count(self, text: str) -> int:
        return self._embedder.token_count(text)

    async def embed(self, texts: Sequence[str], *, role: Role) -> Vectors:
        """One row per text, the same as the embedder alone would give.

        Raises:
            RequestError: a text is empty, or not text.
            ModelOverloaded: too many texts wait; its ``seconds`` say when to come back.
            InferenceError: anything else.
        """
        ready = [embeddable(text, place) for place, text in enumerate(texts, 1)]
        if not ready:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return await self._lanes[role].embed(ready)


_ROLES: tuple[Role, ...] = ("query", "document")


class _Call:
    """The texts of a caller: those not begun, and the rows that have come."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.pending = deque(range(len(texts)))
        self.rows: dict[int, NDArray[np.float32]] = {}
        self.alone = False
        """It was in a batch that failed: it shares none any more."""
        self.done: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()


class _Text(NamedTuple):
    call: _Call
    place: int


class _Running(NamedTuple):
    texts: list[_Text]
    began: float


class _Lane:
    """What waits and what runs, of one role."""

    def __init__(
        self, embedder: Embedder, role: Role, batch: int, concurrent: int, waiting: int
    ) -> None:
        self._embedder, self._role = embedder, role
        self._batch, self._concurrent, self._most = batch, concurrent, waiting
        self._turns: deque[_Call] = deque()
        self._running: dict[asyncio.Task[Vectors], _Running] = {}
        self._pace = 0.0
        """Seconds a text lately took, all places at work."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        self._admit(len(texts))
        call = _Call(texts)
        self._turns.append(call)
        self._fill()
        try:
            return await call.done
        finally:
            self._forget(call)

    def _admit(self, texts: int) -> None:
        waiting = sum(len(call.pending) for call in self._turns)
        if waiting and waiting + texts > self._most:
            seconds = min(max(1, math.ceil(waiting * self._pace)), _MOST_PATIENCE)
            error = ModelOverloaded(
                f"Trop de textes attendent leurs vecteurs : recommencez dans {seconds} s."
            )
            error.seconds = seconds
            raise error

    def _fill(self) -> None:
        """Begin batches while there are texts and places."""
        loop = asyncio.get_running_loop()
        while self._turns and len(self._running) < self._concurrent:
            texts = self._draw()
            embedding = self._embedder.embed(
                [call.texts[place] for call, place in texts], role=self._role
            )
            task = loop.create_task(embedding)
            self._running[task] = _Running(texts, loop.time())
            task.add_done_callback(self._settle)

    def _draw(self) -> list[_Text]:
        """Take the next batch: a text of each call in turn."""
        drawn: list[_Text] = []
        while self._turns and len(drawn) < self._batch:
            call = self._turns[0]
            if call.alone and drawn:
                break
            self._turns.popleft()
            share = min(self._batch, len(call.pending)) if call.alone else 1
            drawn += [_Text(call, call.pending.popleft()) for _ in range(share)]
            if call.pending:
                self._turns.append(call)
            if call.alone:
                break
        return drawn

    def _settle(self, task: asyncio.Task[Vectors]) -> None:
        """Give a batch's rows, or its failure, to those who await them."""
        texts, began = self._running.pop(task)
        if task.cancelled():  # nobody awaits it, or the program ends
            for call, _place in texts:
                self._drop(call)
                call.done.cancel()
        elif error := task.exception():
            self._share_failure(texts, error)
        else:
            seconds = asyncio.get_running_loop().time() - began
            latest = seconds / len(texts) / self._concurrent
            self._pace += (latest - self._pace) / 8 if self._pace else latest
            _give(texts, task.result())
        self._fill()

    def _share_failure(self, texts: list[_Text], error: BaseException) -> None:
        calls = {id(call): call for call, _place in texts if not call.done.done()}
        if len(calls) == 1 or isinstance(error, _EVERYBODYS):
            for call in calls.values():
                self._drop(call)
                call.done.set_exception(error)
            return
        for call, place in reversed(texts):
            if not call.done.done():
                call.alone = True
                call.pending.appendleft(place)
        again = [call for call in calls.values() if call not in self._turns]
        self._turns.extendleft(reversed(again))

    def _forget(self, call: _Call) -> None:
        """Drop what a caller who has left had waiting, and what only it awaited."""
        self._drop(call)
        for task, running in self._running.items():
            if all(text.call.done.done() for text in running.texts):
                task.cancel()

    def _drop(self, call: _Call) -> None:
        call.pending.clear()
        if call in self._turns:
            self._turns.remove(call)


_EVERYBODYS = (ModelOverloaded, ModelUnreachable)
"""Failures of the engine, whatever the texts: trying again alone would only add to its load."""


def _give(texts: list[_Text], rows: Vectors) -> None:
    for (call, place), row in zip(texts, rows, strict=True):
        call.rows[place] = row
        if len(call.rows) == len(call.texts) and not call.done.done():
            call.done.set_result(np.stack([call.rows[place] for place in range(len(call.texts))]))
