"""The graphics cards: whether vLLM's models, each with its share of the memory, fit."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from albert.deploy.checks.apart import apart, spoken
from albert.deploy.checks.engines import weight
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine
from albert.domain.errors import InferenceError
from albert.routing.table import RoutedModel
from albert.serving.downloads.download import told_size
from albert.serving.engines.vllm import installed
from albert.serving.store import ModelStore

PROGRAM = "nvidia-smi"
_ASKED = ("index", "name", "memory.total", "memory.free")
_SECONDS = 8.0
_ROOM = 0.9
"""Of a share, what the weights may take: vLLM keeps in the rest what readers have read."""
_QUANTIZED = ("--quantization", "-q")


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card; its memory in bytes, 0 where it does not say."""

    index: int
    name: str
    total: int
    free: int


async def check_gpu(machine: Machine) -> list[Finding]:
    models = [m for s in machine.kinds("llm") if (m := s.model) and m.driver == "vllm"]
    if not models:
        return [ok("Aucun modèle n'a besoin d'une carte graphique ici.")]
    try:
        said = await spoken((PROGRAM, f"--query-gpu={','.join(_ASKED)}", _FORMAT), _SECONDS)
    except TimeoutError:
        return [error(f"« {PROGRAM} » ne finit pas.", "Le pilote est bloqué : redémarrez.")]
    if said is None:
        return [await apart(lambda: _without_card(models))]
    status, text = said
    cards = list(read_cards(text)) if status == 0 else []
    if not cards:
        words = " ".join(text.split())[:200]
        return [
            error(
                f"« {PROGRAM} » ne trouve aucune carte graphique : {words}",
                "Réinstallez le pilote NVIDIA (utils/init_vm.sh), ou attachez une carte "
                "(albert deploy gpu link).",
            )
        ]
    store = ModelStore(machine.storage)
    weights = await apart(lambda: {model.name: weight(store, model) for model in models})
    return [*_seen(cards), *_shared(models), *_fitting(models, cards, weights)]


_FORMAT = "--format=csv,noheader,nounits"


def read_cards(text: str) -> Iterator[Card]:
    """Yield the cards of what ``nvidia-smi`` says; a line that is none is passed over."""
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) == len(_ASKED) and row[0].isdecimal():
            yield Card(int(row[0]), row[1], _octets(row[2]), _octets(row[3]))


def _octets(mebibytes: str) -> int:
    return int(mebibytes) << 20 if mebibytes.isdecimal() else 0  # "[N/A]" in a virtual machine


def _seen(cards: Iterable[Card]) -> Iterator[Finding]:
    for card in cards:
        yield ok(
            f"Carte {card.index} : {card.name}, {told_size(card.total)}, "
            f"dont {told_size(card.free)} libres."
        )


def _shared(models: Sequence[RoutedModel]) -> Iterator[Finding]:
    if said := oversubscribed(models):
        yield error(said, "Baissez « engine.gpu_memory_share » dans la table de routage.")


def oversubscribed(models: Sequence[RoutedModel]) -> str:
    """Say that the models of one machine want more than the whole of a card; empty if not.

    vLLM takes the first cards that it sees: those that start together share them.
    """
    shares = {m.name: m.engine.gpu_memory_share for m in models if m.driver == "vllm"}
    if sum(shares.values()) <= 1.0 + 1e-9:
        return ""
    told = ", ".join(f"« {name} » {share:g}" for name, share in shares.items())
    return (
        f"Les parts de la mémoire de la carte font {sum(shares.values()):g}, plus que 1 ({told})."
    )


def _fitting(
    models: Iterable[RoutedModel], cards: Sequence[Card], weights: Mapping[str, int | None]
) -> Iterator[Finding]:
    for model in models:
        wanted = model.engine.tensor_parallel_size
        if wanted > len(cards):
            yield error(
                f"« {model.name} » veut {wanted} cartes graphiques, et il y en a {len(cards)}.",
                "Baissez « engine.tensor_parallel_size », ou prenez une autre machine.",
            )
            continue
        yield _fit(model, cards[:wanted], weights[model.name])


def _fit(model: RoutedModel, cards: Sequence[Card], octets: int | None) -> Finding:
    share = model.engine.gpu_memory_share
    given = int(min(card.total for card in cards) * share)
    if octets is None or not given:
        return ok(f"« {model.name} » : taille inconnue, rien à comparer à la carte.")
    if any(flag.partition("=")[0] in _QUANTIZED for flag in model.engine.flags):
        return ok(f"« {model.name} » : quantifié au chargement, rien à comparer à la carte.")
    each = octets // len(cards)
    said = (
        f"« {model.name} » : {told_size(each)} de poids par carte, dans une part de "
        f"{told_size(given)} ({share:g})"
    )
    if each > given:
        return error(
            f"{said} : il n'y tient pas.",
            "Augmentez « engine.gpu_memory_share » ou « engine.tensor_parallel_size », ou prenez "
            "un modèle plus petit ou quantifié.",
        )
    if each > given * _ROOM:
        return warning(
            f"{said} : il reste trop peu pour les questions.",
            "Augmentez « engine.gpu_memory_share », ou baissez « engine.context ».",
        )
    return ok(f"{said} : il y tient.")


def _without_card(models: Sequence[RoutedModel]) -> Finding:
    """Judge a machine without a driver: vLLM's build for the processor needs none."""
    names = ", ".join(f"« {model.name} »" for model in models)
    try:
        on_gpu = any(installed(model.engine).on_gpu for model in models)
    except InferenceError:
        on_gpu = True
    if not on_gpu:
        return ok(f"{names} : vLLM est là dans sa version pour processeur, sans carte graphique.")
    return error(
        f"« {PROGRAM} » est introuvable, et vLLM doit servir {names}.",
        "Installez le pilote NVIDIA (utils/init_vm.sh), ou servez ce modèle par llama.cpp.",
    )
