"""What the routing table and the settings name: whether it answers, and knows our key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

from albert.deploy.checks.asking import Answer
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine
from albert.routing.table import Replica, RoutedModel


@dataclass(frozen=True, slots=True)
class Question:
    """A replica that another machine serves, and how it is asked for its models."""

    model: RoutedModel
    replica: Replica
    key: str

    @property
    def address(self) -> str:
        return f"{self.replica.address}/models"

    @property
    def what(self) -> str:
        return f"« {self.model.name} » ({self.replica.address})"


def questions(machine: Machine) -> Iterator[Question]:
    """Yield a question for each replica of the table that is not of this machine."""
    for model in machine.table:
        for replica in model.replicas:
            if replica.address and not machine.serves(replica):
                yield Question(model, replica, machine.key_of(replica))


async def check_reach(machine: Machine) -> list[Finding]:
    """Ask every replica that an API of this machine would ask, and what else the settings name."""
    if not machine.kinds("api"):
        return [ok("Cette machine ne demande rien aux autres.")]
    replicas = [_replica(machine, question) for question in questions(machine)]
    others = [_other(machine, *one) for one in _others(machine)]
    found = await asyncio.gather(*replicas, *others)
    return [*_keys(machine), *found] or [ok("La table ne nomme aucune autre machine.")]


def _keys(machine: Machine) -> Iterator[Finding]:
    """Yield the keys that the table wants and nobody gave, and those that it does not name."""
    for model in machine.table:
        for replica in model.replicas:
            if replica.key_variable and not machine.key_of(replica):
                yield error(
                    f"{replica.key_variable} manque : la table y cherche la clé de "
                    f"« {model.name} ».",
                    "Donnez-la dans le fichier de variables.",
                )
    for service in machine.plan.services:
        variable = _OWN.get(service.kind, "")
        if service.replica and not service.replica.key_variable and machine.values.get(variable):
            yield error(
                f"« {service.name} » demandera la clé de {variable}, que l'API ne lui donnera pas.",
                f'Ajoutez "key_variable": "{variable}" à sa réplique, dans la table de routage.',
            )


_OWN = {"llm": "LLM_API_KEY", "embeddings": "EMBEDDINGS_API_KEY"}


async def _replica(machine: Machine, question: Question) -> Finding:
    answer = await machine.asking.get(question.address, question.key)
    if answer.silence:
        return _silent(question, answer)
    return _judge(question, answer)


def _silent(question: Question, answer: Answer) -> Finding:
    said = f"{question.what} : {answer.why}."
    if answer.silence == "refused" and question.model.driver != "openai":
        return warning(said, "Si ce service n'est pas encore lancé, lancez-le.")
    remedy = {
        "name": "Corrigez « host » dans la table de routage, ou le DNS.",
        "refused": "Corrigez « host » et « port » dans la table de routage, ou lancez ce service.",
        "silent": "Ouvrez ce port dans les pare-feu entre les deux machines.",
        "certificate": "Renouvelez ce certificat, ou dites son autorité dans SSL_CERT_FILE.",
    }
    return error(said, remedy.get(answer.silence, "Voyez le journal de ce service."))


def _judge(question: Question, answer: Answer) -> Finding:
    what, status = question.what, answer.status
    if status in (401, 403):
        variable = question.replica.key_variable
        remedy = f"Corrigez {variable}." if variable else "Nommez-la dans « key_variable »."
        return error(f"{what} : la clé est refusée ({status}).", remedy)
    if 300 <= status < 400:
        return error(
            f"{what} : renvoie ailleurs ({status}), ce qu'Albert ne suit pas.",
            "Mettez dans « host » l'adresse finale.",
        )
    if status >= 500:
        return warning(f"{what} : répond {status}, il n'est pas encore prêt.")
    if status != 200:
        return warning(f"{what} : répond {status} à /v1/models.", "Vérifiez « host » et « port ».")
    names = _models(answer.body)
    if names and question.model.upstream_name not in names:
        return warning(
            f"{what} : sert {', '.join(sorted(names)[:5])}, et non "
            f"« {question.model.upstream_name} ».",
            "Corrigez « served_name » dans la table de routage.",
        )
    return ok(f"{what} : répond.")


def _models(body: bytes) -> set[str]:
    try:
        return {str(one["id"]) for one in json.loads(body)["data"]}
    except (ValueError, KeyError, TypeError):
        return set()


def _others(machine: Machine) -> Iterator[tuple[str, str, str]]:
    """Yield what else is asked: its name, its variable, its address."""
    settings = machine.settings
    if settings.otlp_endpoint:
        yield "Le collecteur de traces", "OTEL_EXPORTER_OTLP_ENDPOINT", settings.otlp_endpoint
    if settings.mj_api_key.get_secret_value():
        yield "Mailjet", "ALBERT_MAILJET_URL", settings.mailjet_url


async def _other(machine: Machine, name: str, variable: str, address: str) -> Finding:
    """See that somebody is there: whatever it answers."""
    answer = await machine.asking.get(address)
    if answer.silence:
        return error(f"{name} ({address}) : {answer.why}.", f"Corrigez {variable}, ou le réseau.")
    return ok(f"{name} ({address}) : répond.")
