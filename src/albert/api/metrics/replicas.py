"""How the replicas are at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from albert.api.metrics import catalogue
from albert.api.metrics.families import Family, Labels, sample

STATES = ("starting", "closed", "open", "half-open", "draining")
"""Those of ``LiveReplica``: ``closed`` is a breaker that lets every request pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """One replica; ``state`` is one of ``STATES``, ``lost`` how many times its breaker opened."""

    model: str
    address: str
    state: str
    in_flight: int = 0
    weight: float = 1.0
    lost: int = 0


def write(states: Iterable[ReplicaState]) -> Iterator[str]:
    """Yield the text of the replicas' families."""
    every = {(one.model, one.address): one for one in states}.values()
    yield catalogue.REPLICA_STATE.header()
    for one in every:
        for state in STATES:
            labels = (*_labels(one), ("state", state))
            yield sample(catalogue.REPLICA_STATE.name, labels, int(one.state == state))
    yield from _each(catalogue.REPLICA_IN_FLIGHT, [(_labels(one), one.in_flight) for one in every])
    yield from _each(catalogue.REPLICA_WEIGHT, [(_labels(one), one.weight) for one in every])
    yield from _each(catalogue.REPLICA_LOST, [(_labels(one), one.lost) for one in every])


def _labels(one: ReplicaState) -> Labels:
    return (("model", one.model), ("address", one.address))


def _each(family: Family, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield family.header()
    for labels, value in samples:
        yield sample(family.name, labels, value)
