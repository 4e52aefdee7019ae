"""Serving a peer as it serves best: uvicorn, uvloop, httptools, no log."""

from __future__ import annotations

import socket

import uvicorn


def serve(app: object) -> None:
    """Serve on a free port, and print the address once it listens."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws="none", access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[listener])
