"""A request on its way to a model: which replica, and what is done when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Protocol

import aiohttp

from albert.domain.errors import InferenceError, ModelTooSlow, ModelUnreachable
from albert.routing.answer import Answer
from albert.routing.outcome import Failed, judged, unheard
from albert.routing.replica import LiveReplica
from albert.routing.route import Route

_DEAD_IN_THE_POOL = (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError)


class Post(Protocol):
    """Sends the request to a replica, and returns when its answer's head has come."""

    async def __call__(
        self,
        route: Route,
        replica: LiveReplica,
        operation: str,
        body: bytes,
        more: Mapping[str, str],
    ) -> aiohttp.ClientResponse: ...


class Sending:
    """``async with sending as answer``; leaving the block early stops the engine.

    The answer of a stream has its first bytes, another is whole: until then, what
    fails is tried on another replica. ``attempts`` counts those that were asked.
    """

    def __init__(
        self,
        route: Route,
        post: Post,
        live: set[Sending],
        *,
        operation: str,
        body: bytes,
        stream: bool,
        headers: Mapping[str, str],
        affinity: str,
        without: Sequence[LiveReplica] = (),
    ) -> None:
        self.route = route
        self.stream = stream
        self.replica: LiveReplica | None = None
        self.tried: list[LiveReplica] = list(without)
        self.begun = False
        """Whether its first byte has come."""
        self.late = False
        """Whether it was cut short, having had its time."""
        self.waiting = False
        """Whether it waits for more of an answer that has begun."""
        self._stalled = False
        self.lost = 0
        """Times the replica had been lost when it was asked."""
        self.started = self.touched = self.queued = 0.0
        """On the loop's clock: its beginning, the last byte; and the seconds it waited."""
        self._post = post
        self._live = live
        self._operation = operation
        self._body = body
        self._headers = headers
        self._affinity = affinity
        self._answer: Answer | None = None
        self._held: LiveReplica | None = None
        self._task: asyncio.Task[object] | None = None
        """That waits for a first byte."""

    async def __aenter__(self) -> Answer:
        self.started = self.touched = asyncio.get_running_loop().time()
        self._live.add(self)
        try:
            self._answer = await self._first()
        except BaseException:
            self._leave()
            raise
        return self._answer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._answer is not None:
            self._answer.close()
        if error is None and self._held is not None:  # else the answer was of no use, or was left
            self._held.breaker.succeed()
        self._leave()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the answer's bytes as they come, the first ones included.

        Raises:
            ModelTooSlow: nothing came for too long, or the whole took too long.
            ModelUnreachable: the engine broke off.
        """
        answer = self._answer
        if answer is None:
            return
        yield answer.body
        if answer.response is None:
            return
        try:
            while data := await self._more(answer.response.content):
                yield data
        except aiohttp.ClientError:
            if self.late:
                raise ModelTooSlow from None
            raise ModelUnreachable("La réponse du modèle s'est interrompue : réessayez.") from None

    async def _more(self, content: aiohttp.StreamReader) -> bytes:
        """Wait for the engine: what the reader took to come back is not its silence."""
        self.heard()
        self.waiting = True
        data = await content.readany()
        self.waiting = False
        return data

    def heard(self) -> None:
        self.touched = asyncio.get_running_loop().time()

    def blame(self) -> None:
        """Hold the replica that began an answer to account for not having ended it.

        One that was still speaking when its time was over did nothing wrong.
        """
        spoke = self.late and not self._stalled
        if self._answer is not None and self.replica is not None and not spoke:
            self.replica.fail()

    def silent(self, now: float) -> bool:
        """Whether the engine, once it had begun, has said nothing for too long."""
        limit = self.route.model.timeouts.between_bytes
        return self.stream and self.waiting and now - self.touched > limit

    def expire(self) -> None:
        """Cut it short: before its first byte for another replica to be asked, else for good."""
        self.late = True
        self._stalled = self.silent(asyncio.get_running_loop().time())
        if self._answer is not None:
            self._answer.close()
        elif self._task is not None:
            self._task.cancel()
            self._task = None

    async def _first(self) -> Answer:
        """Ask one replica after the other until one answers."""
        doubted: list[LiveReplica] = []
        last: Failed | None = None
        while replica := await self._next(last):
            outcome = await self._attempt(replica)
            if isinstance(outcome, Answer):
                replica.breaker.answered()
                for one in doubted:
                    one.fail()
                return outcome
            last = outcome
            if outcome.blame == "if others do better":
                doubted.append(replica)
            elif outcome.blame != "none":
                replica.fail(sure=outcome.blame == "sure")
            self._give_back()
        if last is None:
            raise ModelTooSlow
        if last.answer is not None:
            return last.answer
        raise last.error if self.route.hope(()) else self.route.down(str(last.error))

    async def _next(self, last: Failed | None) -> LiveReplica | None:
        """Take another replica, or none where ``last`` was the last one.

        Raises:
            ModelDown, ModelOverloaded: there is not even a first.
        """
        begun = asyncio.get_running_loop().time()
        if last is not None and begun - self.started >= self.route.model.timeouts.whole:
            return None
        try:
            replica = await self.route.turn(self._affinity, self.tried)
        except InferenceError:
            if last is None:
                raise
            return None
        self.heard()
        self.queued += self.touched - begun
        self.tried.append(replica)
        self.replica = self._held = replica
        self.lost = replica.lost
        return replica

    async def _attempt(self, replica: LiveReplica) -> Answer | Failed:
        self.begun = self.late = False
        self._task = task = asyncio.current_task()
        try:
            outcome = await self._judged(await self._head(replica))
        except asyncio.CancelledError:
            if not self.late or task is None or task.uncancel():  # not by the watch alone
                raise
            return Failed(ModelTooSlow(), "likely")
        except TimeoutError:
            return Failed(ModelTooSlow(), "likely")
        except aiohttp.ClientError as error:
            return unheard(error)
        finally:
            self._task = None
        self.heard()
        self.begun = isinstance(outcome, Answer)
        return outcome

    async def _judged(self, response: aiohttp.ClientResponse) -> Answer | Failed:
        """Leave the response unless it has more to say to the reader."""
        outcome: Answer | Failed | None = None
        try:
            outcome = await judged(response, stream=self.stream)
            return outcome
        finally:
            if not (isinstance(outcome, Answer) and outcome.response):
                response.close()

    async def _head(self, replica: LiveReplica) -> aiohttp.ClientResponse:
        sent = (self.route, replica, self._operation, self._body, self._headers)
        try:
            return await self._post(*sent)
        except _DEAD_IN_THE_POOL:  # the server had closed a connection that we kept
            return await self._post(*sent)

    def _give_back(self) -> None:
        """Give the replica that is held back, once; ``replica`` still names the last that was."""
        if (held := self._held) is not None:
            self._held = None
            held.breaker.release()
            self.route.leave(held)

    def _leave(self) -> None:
        self._live.discard(self)
        self._give_back()
