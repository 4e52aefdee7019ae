"""How the replicas are at this moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from albert.api.metrics import catalogue
from albert.api.metrics.families import Family, Labels, sample

State = Literal["starting", "closed", "open", "half-open", "draining"]
"""Its breaker's state, where it is in service: ``closed`` lets every request pass."""
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """One replica; ``lost`` is how many times its breaker opened."""

    model: str
    address: str
    state: State
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
