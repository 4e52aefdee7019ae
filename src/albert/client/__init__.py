"""The Python client of a service of Albert: ``Albert`` waits, ``AsyncAlbert`` is for asyncio.

Both are one: what the second does, the first waits for.
"""

from albert.client.asynchronous import AsyncAlbert
from albert.client.blocking import Albert, AnswerStream
from albert.client.errors import ApiError, ClientError
from albert.client.forms import Answer
from albert.client.resuming import AsyncAnswerStream

__all__ = [
    "Albert",
    "Answer",
    "AnswerStream",
    "ApiError",
    "AsyncAlbert",
    "AsyncAnswerStream",
    "ClientError",
]
