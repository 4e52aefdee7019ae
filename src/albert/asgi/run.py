"""Listening, serving, stopping."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

import uvicorn
from starlette.types import Receive, Scope, Send

from albert.asgi.gathered import GatheringProtocol
from albert.domain.errors import PortInUse, ServiceError
from albert.domain.mishaps import reason


class Application(Protocol):
    """What is served: opened and closed once, and drained before it stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def drain(self) -> None:
        """Take no more work; running answers have the time that the application gives."""
        ...

    def interrupt(self) -> None:
        """End every answer now."""
        ...

    async def idle(self) -> None:
        """Return once no answer is being written any more."""
        ...


_STOP_SECONDS = 3
"""What connections have once answers had theirs; uvicorn alone would wait for ever."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 lets the system choose.

    Raises:
        PortInUse: another program listens there.
        ServiceError: the address is not ours to listen on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"Un autre programme écoute déjà sur le port {port} : "
                "arrêtez-le, ou changez ALBERT_PORT."
            ) from error
        raise ServiceError(f"Impossible d'écouter sur {host}:{port} ({reason(error)}).") from error


def address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: Application,
    host: str,
    port: int,
    ready: Callable[[str], None],
    *,
    root_path: str = "",
    stop: asyncio.Event | None = None,
    reload: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or ``stop``; running answers have the
    policy's ``drain_seconds`` to end.

    ``ready`` is called once, with the address, when connections are accepted.
    A second signal ends open streams at once. SIGHUP calls ``reload``. The caller's loop should be
    uvloop's (``uvloop.run``).

    Raises:
        PortInUse, ServiceError: the port cannot be had.
        AlbertError: from opening the services.
    """
    with listen(host, port) as listener:
        config = _config(app, root_path)
        server = _Server(config, app, lambda: ready(address(listener)))
        await app.open()
        _collect_less()
        try:
            with _until(server, stop or asyncio.Event(), reload):
                await server.serve(sockets=[listener])
        finally:
            await app.close()


def _config(app: Application, root_path: str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GatheringProtocol,  # httptools in C
        ws="none",
        lifespan="off",  # opened here, so that its errors reach the caller as they are
        log_config=None,
        access_log=False,  # addresses may hold what people ask
        server_header=False,
        proxy_headers=False,  # nothing here trusts who a proxy says is calling
        root_path=root_path,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


def _collect_less() -> None:
    """Have cycles looked for less often: a call leaves a hundred objects, none in a cycle.

    What was made until now stays, and is left out of every look.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@contextmanager
def _until(
    server: _Server, stop: asyncio.Event, reload: Callable[[], None] | None
) -> Iterator[None]:
    """Stop ``server`` on a signal, or when ``stop`` is set."""
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGINT: server.leave, signal.SIGTERM: server.leave}
    if reload is not None:
        handlers[signal.SIGHUP] = reload
    caught = handlers if threading.current_thread() is threading.main_thread() else {}
    waiting = loop.create_task(stop.wait())
    waiting.add_done_callback(lambda task: None if task.cancelled() else server.leave())
    for number, handle in caught.items():
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        waiting.cancel()
        for number in caught:
            loop.remove_signal_handler(number)


class _Server(uvicorn.Server):
    """uvicorn, with our way of starting and stopping."""

    def __init__(self, config: uvicorn.Config, app: Application, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._leaving: asyncio.Task[None] | None = None
        self._ready = ready

    def leave(self) -> None:
        """Stop gracefully; asked twice, at once.

        Until the last answer has ended, connections are accepted, so that whoever
        watches reads that the service is no longer ready.
        """
        if self._leaving is None:
            self._app.drain()
            self._leaving = asyncio.get_running_loop().create_task(self._app.idle())
            self._leaving.add_done_callback(lambda _done: self._exit())
        else:
            self._app.interrupt()

    def _exit(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone: ``serve`` has its own, and uvicorn's would kill the caller after."""
        yield
