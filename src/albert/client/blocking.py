"""The client for programs that wait: a face of the other one, whose loop has its own thread."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from albert.client.accounts import AsyncTokens, AsyncUsers
from albert.client.asynchronous import AsyncAlbert
from albert.client.conversations import AsyncChats, AsyncFeedbacks, AsyncStreams
from albert.client.errors import CLOSED, ClientError
from albert.client.forms import Answer
from albert.client.resuming import DELAYS, AsyncAnswerStream

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own, from the first call on; any thread may call."""

    def __init__(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._last = last
        """The work done before the thread ends."""
        self._lock = threading.Lock()
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._closed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for ``work`` and return what it does; an interruption cancels it."""
        try:
            loop = self._started()
        except ClientError:
            work.close()
            raise
        doing = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return doing.result()
        except BaseException:
            doing.cancel()
            raise

    def close(self) -> None:
        with self._lock:
            running, self._running = self._running, None
            self._closed = True
        if running is None:
            return
        loop, thread = running
        atexit.unregister(self.close)
        asyncio.run_coroutine_threadsafe(self._last(), loop).result()
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise ClientError(CLOSED)
            if self._running is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever, name="albert", daemon=True)
                thread.start()
                self._running = loop, thread
                atexit.register(self.close)  # for those who forget
            return self._running[0]


class _Face(Generic[A]):
    """Waits for what ``core`` does."""

    def __init__(self, core: A, loop: _Loop) -> None:
        self._core = core
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._core).replace("Async", "")


def _waiting(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Face[A], P], T]:
    """Return the method of a face that waits for ``method``: same parameters, same words."""

    @wraps(method)
    def wait(face: _Face[A], /, *args: P.args, **named: P.kwargs) -> T:
        return face._loop.run(method(face._core, *args, **named))

    return wait


def _reading(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, AsyncAnswerStream]],
) -> Callable[Concatenate[_Face[A], P], AnswerStream]:
    """As ``_waiting``, for a method that gives an answer to be read."""

    @wraps(method)
    def wait(face: _Face[A], /, *args: P.args, **named: P.kwargs) -> AnswerStream:
        return AnswerStream(face._loop.run(method(face._core, *args, **named)), face._loop)

    return wait


class AnswerStream(_Face[AsyncAnswerStream]):
    """The pieces of one answer, in order, none twice and none missing.

    Iterate over it, then look at ``answer``. A lost connection is taken up again.
    """

    @property
    def id(self) -> int:
        return self._core.id

    @property
    def text(self) -> str:
        """What was received so far."""
        return self._core.text

    @property
    def answer(self) -> Answer:
        """The whole answer, once every piece was read.

        Raises:
            RuntimeError: it is not over.
        """
        return self._core.answer

    next_piece = _waiting(AsyncAnswerStream.next_piece)
    whole = _waiting(AsyncAnswerStream.whole)
    stop = _waiting(AsyncAnswerStream.stop)
    close = _waiting(AsyncAnswerStream.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        piece = self.next_piece()
        if piece is None:
            raise StopIteration
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()


class Tokens(_Face[AsyncTokens]):
    """One's own API tokens."""

    create = _waiting(AsyncTokens.create)
    delete = _waiting(AsyncTokens.delete)
    list = _waiting(AsyncTokens.list)


class Users(_Face[AsyncUsers]):
    """Accounts to be decided on: for admins."""

    pending = _waiting(AsyncUsers.pending)
    confirm = _waiting(AsyncUsers.confirm)


class Chats(_Face[AsyncChats]):
    """One's own chats."""

    create = _waiting(AsyncChats.create)
    read = _waiting(AsyncChats.read)
    rename = _waiting(AsyncChats.rename)
    change_type = _waiting(AsyncChats.change_type)
    archive = _waiting(AsyncChats.archive)
    delete = _waiting(AsyncChats.delete)
    list = _waiting(AsyncChats.list)


class Streams(_Face[AsyncStreams]):
    """One's own questions, each with its answer."""

    create = _waiting(AsyncStreams.create)
    start = _reading(AsyncStreams.start)
    stop = _waiting(AsyncStreams.stop)
    read = _waiting(AsyncStreams.read)
    list = _waiting(AsyncStreams.list)


class Feedbacks(_Face[AsyncFeedbacks]):
    """One's own opinions on answers."""

    add = _waiting(AsyncFeedbacks.add)
    evaluate = _waiting(AsyncFeedbacks.evaluate)
    read = _waiting(AsyncFeedbacks.read)
    delete = _waiting(AsyncFeedbacks.delete)
    list = _waiting(AsyncFeedbacks.list)


class Albert(_Face[AsyncAlbert]):
    """One service, asked by one person; from any thread, a notebook's included.

    ``timeout`` is of a whole call, in seconds. An answer may last; ``silence`` is for how long
    nothing may come of it, its heartbeats included. ``delays`` are the seconds before each new
    connection when one is lost in an answer.

    Every call raises the errors of ``albert.client.errors``.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8090",
        token: str | None = None,
        *,
        timeout: float = 30,
        silence: float = 60,
        delays: Sequence[float] = DELAYS,
    ) -> None:
        core = AsyncAlbert(base_url, token, timeout=timeout, silence=silence, delays=delays)
        super().__init__(core, _Loop(core.close))
        self.tokens = Tokens(core.tokens, self._loop)
        self.users = Users(core.users, self._loop)
        self.chats = Chats(core.chats, self._loop)
        self.streams = Streams(core.streams, self._loop)
        self.feedback = Feedbacks(core.feedback, self._loop)

    def close(self) -> None:
        """Close the connections; a session stays open until ``sign_out`` or its 24 hours."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()

    sign_up = _waiting(AsyncAlbert.sign_up)
    sign_in = _waiting(AsyncAlbert.sign_in)
    sign_out = _waiting(AsyncAlbert.sign_out)
    send_reset_password_email = _waiting(AsyncAlbert.send_reset_password_email)
    reset_password = _waiting(AsyncAlbert.reset_password)
    me = _waiting(AsyncAlbert.me)
    export = _waiting(AsyncAlbert.export)
    delete_me = _waiting(AsyncAlbert.delete_me)
    contact = _waiting(AsyncAlbert.contact)
    ask = _waiting(AsyncAlbert.ask)
    ask_stream = _reading(AsyncAlbert.ask_stream)
    search = _waiting(AsyncAlbert.search)
    chunk = _waiting(AsyncAlbert.chunk)
    chunks = _waiting(AsyncAlbert.chunks)
    sheet = _waiting(AsyncAlbert.sheet)
    sheets = _waiting(AsyncAlbert.sheets)
    models = _waiting(AsyncAlbert.models)
    institutions = _waiting(AsyncAlbert.institutions)
    organizations = _waiting(AsyncAlbert.organizations)
