"""One call to a model: what limits, usage, metrics and traces need to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from albert.api.auth import Principal
from albert.asgi.exchange import Header


@dataclass(slots=True, kw_only=True)
class Call:
    """Filled as the call goes on; holds nothing of what was asked or answered.

    Times are in seconds on ``time.perf_counter``'s clock; 0 where it has not come to that.
    """

    request_id: str
    principal: Principal
    model: str
    """The resolved name: never an alias."""
    operation: str
    """The route below ``/v1/``: ``"chat/completions"``."""
    stream: bool = False
    reserved: int = 0
    """Tokens it may cost at most, as far as can be told before: for limits."""
    started: float = 0.0
    queued: float = 0.0
    """Seconds it waited for its turn."""
    first: float = 0.0
    """When the first byte of its answer came."""
    ended: float = 0.0
    status: int = 0
    """Of the answer; 499 where the reader left first."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    replica: str = ""
    """Address of the replica that answered; empty for what answers in this process."""
    attempts: int = 0
    answered_by: str = ""
    """The model that answered in its place, where all its replicas were down."""
    headers: tuple[Header, ...] = field(default=())
    """What the answer's headers say besides: limits, fallback."""
    traceparent: str = ""
    tracestate: str = ""
    """The W3C trace context: the client's, then that of our own span where traces are kept."""


class Limiter(Protocol):
    """Admits calls within what their bearer, role and model may use."""

    async def admit(self, call: Call) -> None:
        """Let the call pass, and add what is left to ``call.headers``.

        On the hot path: it asks the database only near a limit.

        Raises:
            LimitExceeded: with the seconds to wait, and which limit it is.
        """
        ...

    def settle(self, call: Call) -> None:
        """Give back what an admitted call reserved and did not use; once, when it has ended."""
        ...


class Recorder(Protocol):
    """Hears of every call that was admitted: usage rows, metrics, traces."""

    def began(self, call: Call) -> None: ...

    def ended(self, call: Call) -> None:
        """Keep what is to be kept; called once, from the event loop, and never blocks."""
        ...


class Unlimited:
    """Admits everything."""

    async def admit(self, call: Call) -> None:
        """Let it pass."""

    def settle(self, call: Call) -> None:
        """Owe nothing."""


class Unrecorded:
    """Keeps nothing."""

    def began(self, call: Call) -> None:
        """Forget it."""

    def ended(self, call: Call) -> None:
        """Forget it."""
