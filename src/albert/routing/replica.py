"""One replica of a model, alive: where it is, how busy, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import Protocol

from albert.routing.breaker import Breaker

_SLACK = 2
"""Requests by which the replica that knows a conversation may be busier than the least busy."""


class Endpoint(Protocol):
    """Where a replica answers; that of an engine we launch changes as it starts and stops."""

    @property
    def ready(self) -> bool: ...

    @property
    def base_url(self) -> str:
        """The OpenAI-compatible address, ``/v1`` included."""
        ...

    @property
    def key(self) -> str: ...

    @property
    def unable(self) -> Mapping[str, str]:
        """What its engine would pass over in silence: the field, and the sentence that says so."""
        ...


_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FixedEndpoint:
    """A server that somebody else starts, and that speaks for itself."""

    base_url: str
    key: str = field(default="", repr=False)
    ready: bool = True

    @property
    def unable(self) -> Mapping[str, str]:
        return _NOTHING


class LiveReplica:
    """``in_flight`` requests are with it now, ``limit`` at most where there is one."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        weight: float = 1.0,
        limit: int | None = None,
        clock: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint
        self.weight = weight
        self.limit = limit
        self.in_flight = 0
        self.served = 0.0
        """Its virtual time: requests it was given, each counted ``1 / weight``."""
        self.breaker = Breaker(clock)
        self.draining = False
        """Gone from the table: what runs there ends there, nothing begins."""
        self.lost = 0
        """Times its breaker opened; whoever waits for a first byte since before goes elsewhere."""

    @property
    def up(self) -> bool:
        """Whether it may be asked, now or when there is room."""
        return self.endpoint.ready and self.breaker.state != "open" and not self.draining

    @property
    def free(self) -> bool:
        """Whether there is room now: one request at most while it is on trial."""
        return self.breaker.admits and (self.limit is None or self.in_flight < self.limit)

    @property
    def state(self) -> str:
        """How it is, for those who watch: starting, draining, or its breaker's state."""
        if self.draining:
            return "draining"
        return self.breaker.state if self.endpoint.ready else "starting"

    def take(self, now: float) -> None:
        """Give it a request; ``now`` is the virtual time of its route.

        One that was away does not catch up: its own time is brought to that of the others.
        """
        self.in_flight += 1
        self.served = max(self.served, now) + 1 / self.weight
        self.breaker.begin()

    def fail(self, *, sure: bool = False) -> None:
        """Blame it for a failure; ``sure`` where one is enough."""
        if self.breaker.fail(sure=sure):
            self.lost += 1


def choose(replicas: Sequence[LiveReplica], affinity: str = "") -> LiveReplica | None:
    """Return the least busy for its weight, among those that are up and have room.

    Of those equally busy, the one whose turn it is, by weighted fair queueing.
    Requests of one ``affinity`` go to the same replica, whose cache knows their prompt,
    unless it is busier by more than ``_SLACK``: by rendezvous hashing (Thaler and
    Ravishankar, 1998), so that a replica that leaves moves its own requests only.
    """
    able = [replica for replica in replicas if replica.up and replica.free]
    if len(able) < 2:
        return able[0] if able else None
    least = min(able, key=_busy)
    if not affinity:
        return least
    known = max(able, key=lambda replica: _attraction(replica, affinity))
    return known if known.in_flight <= least.in_flight + _SLACK else least


def _busy(replica: LiveReplica) -> tuple[float, float]:
    return replica.in_flight / replica.weight, replica.served


def _attraction(replica: LiveReplica, affinity: str) -> float:
    """Return the replica's score for a conversation: ``hash ** (1 / weight)``, in ]0, 1[."""
    word = f"{replica.endpoint.base_url}\n{affinity}".encode("utf-8", "replace")
    drawn = (int.from_bytes(blake2b(word, digest_size=8).digest()) + 1) / (2**64 + 1)
    return float(drawn ** (1 / replica.weight))
