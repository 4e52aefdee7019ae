"""What an engine answered: whole, or a stream whose first bytes have come."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True, kw_only=True)
class Answer:
    """``value`` is the JSON of a whole body, where it was small enough to be read."""

    status: int
    headers: Headers
    body: bytes
    value: object = None
    response: aiohttp.ClientResponse | None = None
    """What follows ``body``; nothing where that is whole."""

    def close(self) -> None:
        """Leave; the engine stops, unless it had ended."""
        if self.response is not None:
            self.response.close()
