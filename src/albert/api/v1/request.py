"""A request under /v1, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass

from albert.api.call import Call
from albert.asgi.exchange import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest(Request):
    """``call`` knows its bearer; whoever finds the model out tells it."""

    call: Call
    query: bytes = b""
