"""Every variable of an environment: the settings, and those that only a deployment reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from pydantic import SecretStr

from albert.settings import Settings, variable

Reader = Literal["api", "llm", "embeddings", "commands", "compose", "machine", "pipeline"]
"""Who reads a variable: a service, a verb that only people and pipelines type
(``albert models download``), Docker Compose, ``init_vm.sh`` or the GitLab pipeline.

A service is given those that it reads and no other: the password of the database is not
in the environment of a model.
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable that is no setting of the program."""

    name: str
    readers: tuple[Reader, ...]
    default: str = ""
    secret: bool = False


DEPLOYMENT: tuple[Variable, ...] = (
    Variable("API_HOSTS", ("compose", "pipeline"), "localhost"),
    Variable("API_PORTS", ("compose", "pipeline"), "8090,8091"),
    Variable("COMPOSE_FILE", ("compose",), "contrib/compose/databases.yml"),
    Variable("COMPOSE_PROJECT_NAME", ("compose",), "albert"),
    Variable("COMPOSE_PROGRAM", ("pipeline",), "docker compose"),
    Variable("IMAGE_NAME", ("compose",), "albert"),
    Variable("IMAGE_TAG", ("compose",)),
    Variable("GPU_COUNTS", ("compose",), "1"),
    Variable("API_CPUS", ("compose",)),
    Variable("API_MEMORY", ("compose",), "4G"),
    Variable("LLM_CPUS", ("compose",)),
    Variable("LLM_MEMORY", ("compose",)),
    Variable("EMBEDDINGS_CPUS", ("compose",)),
    Variable("EMBEDDINGS_MEMORY", ("compose",), "2G"),
    Variable("POSTGRES_IMAGE", ("compose",), "postgres:18"),
    Variable("POSTGRES_CPUS", ("compose",), "2"),
    Variable("POSTGRES_MEMORY", ("compose",), "2G"),
    Variable("ELASTIC_PASSWORD", ("compose",), secret=True),
    Variable("ELASTIC_PORT", ("compose",), "9200"),
    Variable("QDRANT_PORT", ("compose",), "6333"),
    Variable("GITLAB_PASSWORD", ("machine",), secret=True),
    Variable("GITLAB_SSH_PUBLIC_KEY", ("machine",)),
    Variable("HTTP_PROXY", ("api", "commands")),
    Variable("HTTPS_PROXY", ("api", "commands")),
    Variable("NO_PROXY", ("api", "commands")),
    Variable("SSL_CERT_FILE", ("api", "commands")),
    Variable("SSH_USER", ("pipeline",), "gitlab"),
    Variable("SSH_PRIVATE_KEY", ("pipeline",), secret=True),
    Variable("SSH_KNOWN_HOSTS", ("pipeline",)),
    Variable("SSH_CONFIG", ("pipeline",)),
    Variable("OSC_ACCESS_KEY", ("pipeline",)),
    Variable("OSC_SECRET_KEY", ("pipeline",), secret=True),
    Variable("OSC_REGION", ("pipeline",), "cloudgouv-eu-west-1"),
    Variable("OSC_ENDPOINT_API", ("pipeline",)),
    Variable("OSC_GPU_ID", ("pipeline",)),
    Variable("OSC_VM_ID", ("pipeline",)),
    Variable("UPSTREAM_FILE", ("pipeline",)),
    Variable("UPSTREAM_RELOAD", ("pipeline",)),
    Variable("TEST_USERNAME", ("pipeline",)),
    Variable("TEST_PASSWORD", ("pipeline",), secret=True),
)


def default(name: str) -> str:
    """Return the default of a variable of a deployment."""
    return next(one.default for one in DEPLOYMENT if one.name == name)


_EVERY_SERVICE = {"home", "log_format", "log_level"}
_LLM = _EVERY_SERVICE | {
    *("routing_table", "storage_path", "llm_api_key", "vllm_python", "drain_seconds"),
    *("embedder", "embed_threads"),
}
_EMBEDDINGS = _EVERY_SERVICE | {"embeddings_api_key", "embedder", "embed_threads", "drain_seconds"}
_COMMANDS = {"limit", "hf_endpoint", "hf_token", "hf_offline"}
_NOT_THE_API = _COMMANDS | {"llm_api_key", "embeddings_api_key"}
"""It has the keys of other services by the variables that the table names."""
_COMPOSE = {"postgres_port", "postgres_user", "postgres_password", "postgres_db"}


def readers(name: str) -> tuple[Reader, ...]:
    """Return who reads a setting, by its field's name."""
    said: dict[Reader, bool] = {
        "api": name not in _NOT_THE_API,
        "llm": name in _LLM,
        "embeddings": name in _EMBEDDINGS,
        "commands": name in _COMMANDS,
        "compose": name in _COMPOSE,
    }
    return tuple(reader for reader, reads in said.items() if reads)


def read_by(
    reader: Reader, values: Mapping[str, str], *, more: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return those of ``values`` that ``reader`` reads, in order; ``more``: keys of replicas."""
    names = {variable(field) for field in Settings.model_fields if reader in readers(field)}
    names |= {one.name for one in DEPLOYMENT if reader in one.readers} | set(more)
    return {name: value for name, value in values.items() if name in names}


def check(values: Mapping[str, str], keys: Collection[str] = ()) -> tuple[str, ...]:
    """Return a sentence for each of ``values`` that nobody reads, with the name that was meant.

    ``keys`` are the variables that the routing table names. A name that has not the shape of
    one may be a secret that lost its own: its place is told instead.
    """
    known = {variable(field) for field in Settings.model_fields}
    known |= {one.name for one in DEPLOYMENT} | set(keys)
    return tuple(
        _unknown(name, known) if _SHAPE.fullmatch(name) else _shapeless(place)
        for place, name in enumerate(values, start=1)
        if name not in known
    )


_SHAPE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}|[a-z_][a-z0-9_]{0,63}")


def _shapeless(place: int) -> str:
    return f"La variable no {place} du fichier n'est lue par personne : corrigez son nom."


def _unknown(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=_NEAR)
    if near:
        return f"{name} n'est lue par personne : vouliez-vous dire {near[0]} ?"
    return (
        f"{name} n'est lue par personne : retirez-la, ou nommez-la dans « key_variable » de la "
        "table de routage si c'est la clé d'un modèle."
    )


_NEAR = 0.75
"""Of ``difflib``: one letter of a short name, three of a long one."""


def secrets_among(values: Mapping[str, str], keys: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of those of ``values`` that are secrets, and are said."""
    hidden = {variable(n) for n, f in Settings.model_fields.items() if f.annotation is SecretStr}
    hidden |= {one.name for one in DEPLOYMENT if one.secret} | set(keys)
    return tuple(name for name, value in values.items() if value and name in hidden)
