"""Which graphics cards of a machine each model is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from albert.deploy.plan import Service
from albert.domain.errors import EnvironmentInvalid
from albert.routing.table import Engine

_ROUNDING = 1e-9


def card_counts(said: str) -> tuple[int, dict[str, int]]:
    """Read ``GPU_COUNTS``: « 2 » for every machine, « gpu1=2,gpu2=4 » for those it names.

    Returns:
        The count of a machine that is not named, and those of the others.

    Raises:
        EnvironmentInvalid
    """
    every, named = 1, {}
    for word in (word.strip() for word in said.split(",") if word.strip()):
        host, _, number = word.rpartition("=")
        if not (number.isascii() and number.isdecimal() and int(number) < 100):
            raise EnvironmentInvalid(
                f"GPU_COUNTS : « {word} » ne dit pas un nombre de cartes ; écrivez « 2 », "
                "ou « gpu1=2,gpu2=4 »."
            )
        if host:
            named[host.strip()] = int(number)
        else:
            every = int(number)
    return every, named


def dealt(services: Iterable[Service], count: int) -> Mapping[str, tuple[int, ...]]:
    """Return the cards of each model of a machine that has ``count``, by the service's name.

    Cards are named, not counted: Docker gives whoever asks for one card the first of them,
    so two models would share it while the second is idle.

    Raises:
        EnvironmentInvalid: they do not fit.
    """
    asked = {
        one.name: one.model.engine
        for one in services
        if one.model is not None and one.model.driver == "vllm"
    }
    free = [1.0] * count
    given: dict[str, tuple[int, ...]] = {}
    for name in sorted(asked, key=lambda name: (*_size(asked[name]), name)):
        engine = asked[name]
        fits = [n for n, left in enumerate(free) if left + _ROUNDING >= engine.gpu_memory_share]
        cards = tuple(fits[: engine.tensor_parallel_size])
        if len(cards) < engine.tensor_parallel_size:
            raise EnvironmentInvalid(_too_much(asked, count))
        for card in cards:
            free[card] -= engine.gpu_memory_share
        given[name] = cards
    return given


def _size(engine: Engine) -> tuple[int, float]:
    """The largest comes first: a small one still fits in what is left."""
    return -engine.tensor_parallel_size, -engine.gpu_memory_share


def _too_much(asked: Mapping[str, Engine], count: int) -> str:
    told = ", ".join(
        f"{name} {engine.gpu_memory_share:g}"
        + (f" de {engine.tensor_parallel_size} cartes" if engine.tensor_parallel_size > 1 else "")
        for name, engine in asked.items()
    )
    return (
        f"ces modèles ne tiennent pas sur {count} carte(s) graphique(s) ({told}) : baissez leur "
        "gpu_memory_share, déplacez-en un, ou dites dans GPU_COUNTS combien la machine en a."
    )
