"""What must hold between the entries of a table, beyond the form of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from albert.routing.table import RoutedModel

EXTRACTION = "albert-extractif"
"""Always there: the answer without a language model."""


def broken(models: Mapping[str, RoutedModel], named: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the name of a model and, in French, the rule it breaks.

    ``named`` are all those of the table: of some the entry itself is wrong, and told already.
    """
    owners: dict[str, str] = {EXTRACTION: EXTRACTION} | {name: name for name in models}
    for name, model in models.items():
        if name == EXTRACTION:
            yield name, "ce nom est celui de la réponse par extraits : prenez-en un autre."
        for alias in model.aliases:
            if alias in owners:
                yield name, f"l'alias « {alias} » désigne déjà « {owners[alias]} »."
            owners.setdefault(alias, name)
        yield from ((name, reason) for reason in _alone(model))
        if model.fallback and model.fallback != EXTRACTION:
            yield from ((name, reason) for reason in _fallback(model, models, named))


def _alone(model: RoutedModel) -> Iterator[str]:
    """Yield what is wrong with one entry by itself."""
    unplaced = sum(not replica.host for replica in model.replicas)
    if model.driver in ("vllm", "llama.cpp") and not (model.hf_repo_id or model.file):
        yield "il faut hf_repo_id ou file : rien ne dit quel modèle lancer."
    if model.driver == "openai" and unplaced:
        yield "le pilote openai ne lance rien : donnez host à chaque réplique."
    if model.driver == "embedded" and model.type != "embeddings":
        yield "le pilote embedded n'offre que des vecteurs : dites type = embeddings."
    if unplaced > 1:
        yield "une seule réplique peut être sans host : « albert up » n'en lance qu'une."


def _fallback(
    model: RoutedModel, models: Mapping[str, RoutedModel], named: Collection[str]
) -> Iterator[str]:
    """Yield what is wrong with who answers instead."""
    passed, current = {model.name}, model
    while current.fallback in models:
        current = models[current.fallback]
        if current.name in passed:
            yield "le repli tourne en rond : ces modèles se renvoient l'un à l'autre."
            return
        passed.add(current.name)
    if current.fallback not in ("", EXTRACTION, *named):
        yield f"le repli « {current.fallback} » n'est pas dans la table, ni « {EXTRACTION} »."
    if any(models[name].type != model.type for name in passed if name in models):
        yield "le repli n'est pas un modèle du même type."
