"""The graphics cards: whether vLLM's models, each with its share of the memory, fit."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from albert.deploy.checks.apart import apart, spoken
from albert.deploy.checks.engines import weight
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine
from albert.deploy.compose.cards import card_counts, dealt
from albert.deploy.plan import LOCAL
from albert.domain.errors import EnvironmentInvalid, InferenceError
from albert.routing.table import RoutedModel
from albert.serving.downloads.download import told_size
from albert.serving.engines.vllm import installed
from albert.serving.store import ModelStore

PROGRAM = "nvidia-smi"
_ASKED = ("index", "name", "memory.total", "memory.free", "driver_version")
OLDEST_DRIVER = 580
"""The first NVIDIA driver for CUDA 13, which ``requirements-vllm.lock`` pins."""
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
    driver: str


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
    given, wrong = _placed(machine, cards)
    fitting = await apart(lambda: list(_fitting(machine, given, store)))
    return [*_seen(cards), *_driven(cards), *wrong, *fitting]


_FORMAT = "--format=csv,noheader,nounits"


def read_cards(text: str) -> Iterator[Card]:
    """Yield the cards of what ``nvidia-smi`` says; a line that is none is passed over."""
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) == len(_ASKED) and row[0].isdecimal():
            yield Card(int(row[0]), row[1], _octets(row[2]), _octets(row[3]), row[4])


def _octets(mebibytes: str) -> int:
    return int(mebibytes) << 20 if mebibytes.isdecimal() else 0  # "[N/A]" in a virtual machine


def _seen(cards: Iterable[Card]) -> Iterator[Finding]:
    for card in cards:
        yield ok(
            f"Carte {card.index} : {card.name}, {told_size(card.total)}, "
            f"dont {told_size(card.free)} libres."
        )


def _driven(cards: Iterable[Card]) -> Iterator[Finding]:
    """Yield what is wrong with the driver, which is the same for all cards."""
    for driver in dict.fromkeys(card.driver for card in cards):
        major = driver.partition(".")[0]
        if major.isdecimal() and int(major) < OLDEST_DRIVER:  # "[N/A]" says nothing
            yield error(
                f"Le pilote NVIDIA {driver} est trop ancien pour vLLM, qui demande CUDA 13.",
                f"Installez le pilote {OLDEST_DRIVER} ou un plus récent (utils/init_vm.sh).",
            )


def _placed(machine: Machine, cards: Sequence[Card]) -> tuple[dict[str, list[Card]], list[Finding]]:
    """Return the cards of each model, by its service's name, and what is wrong with that."""
    services = machine.kinds("llm")
    count, found = len(cards), list(_counted(machine, len(cards)))
    try:
        given = dealt(services, count)
    except EnvironmentInvalid as refused:
        said = str(refused)
        return {}, [*found, error(said[:1].upper() + said[1:])]
    shares = sum(s.model.engine.gpu_memory_share for s in services if s.model and s.name in given)
    if shares > 1 + 1e-9:
        said = f"Les parts de mémoire font {shares:g} : il faut {count} cartes, une par modèle."
        found.append(warning(said, "Servez-les par conteneurs : sans, tous prennent la première."))
    return {name: [cards[n] for n in places] for name, places in given.items()}, found


def _counted(machine: Machine, count: int) -> Iterator[Finding]:
    """See that ``GPU_COUNTS``, by which containers are rendered, is what this machine has."""
    every, named = card_counts(machine.values.get("GPU_COUNTS", ""))
    host = next((service.host for service in machine.kinds("llm")), LOCAL)
    said = named.get(host, every)
    if said != count:
        yield (error if said > count else warning)(
            f"GPU_COUNTS dit {said} carte(s) pour {host}, et nvidia-smi en voit {count}.",
            "Corrigez GPU_COUNTS, ou attachez la carte qui manque.",
        )


def _fitting(
    machine: Machine, given: Mapping[str, Sequence[Card]], store: ModelStore
) -> Iterator[Finding]:
    for service in machine.kinds("llm"):
        if service.model is not None and (cards := given.get(service.name)):
            yield _fit(service.model, cards, weight(store, service.model))


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
