"""One request answered, whatever happens: refusals, errors, defects and the end of the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import Receive

from albert.asgi.exchange import Header, ReaderLeft, Reply
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import Problem, internal, problem_of, stopping
from albert.domain.errors import AlbertError

Work = Callable[[], Awaitable[None]]


class Answering:
    """For each request: what is wrong with it is told at once, else it is in flight."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight

    async def __call__(
        self, prepare: Callable[[], Awaitable[Work]], reply: Reply, receive: Receive
    ) -> None:
        """Await ``prepare``, which admits the caller and reads the request; then what it gives,
        for as long as the reader stays.
        """
        try:
            work = await prepare()
        except (Problem, AlbertError) as error:
            await reply.fail(_problem(error, reply))
        except ReaderLeft:
            return
        else:
            await self._in_flight.run(self._told(work, reply), receive)

    async def _told(self, work: Work, reply: Reply) -> None:
        try:
            await work()
        except (Problem, AlbertError) as error:
            await reply.fail(_problem(error, reply))
        finally:
            if not reply.complete:
                await reply.fail(stopping() if self._in_flight.stopping else internal())


def _problem(error: Problem | AlbertError, reply: Reply) -> Problem:
    problem = error if isinstance(error, Problem) else problem_of(error)
    more: tuple[Header, ...] = reply.headers()
    if more:
        problem.headers = (*problem.headers, *more)
    return problem
