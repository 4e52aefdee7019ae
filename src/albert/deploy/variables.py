"""Every variable of an environment: the settings, and those that only a deployment reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from albert.settings import Settings, variable

Reader = Literal["api", "llm", "embeddings", "compose", "machine", "pipeline"]
"""Who reads a variable: a service, Docker Compose, ``init_vm.sh`` or the GitLab pipeline.

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
    Variable("ELASTIC_PASSWORD", ("compose",), secret=True),
    Variable("ELASTIC_PORT", ("compose",), "9200"),
    Variable("QDRANT_PORT", ("compose",), "6333"),
    Variable("GITLAB_PASSWORD", ("machine",), secret=True),
    Variable("GITLAB_SSH_PUBLIC_KEY", ("machine",)),
    Variable("OSC_ACCESS_KEY", ("pipeline",)),
    Variable("OSC_SECRET_KEY", ("pipeline",), secret=True),
    Variable("OSC_REGION", ("pipeline",), "cloudgouv-eu-west-1"),
    Variable("OSC_ENDPOINT_API", ("pipeline",)),
    Variable("OSC_GPU_ID", ("pipeline",)),
    Variable("OSC_VM_ID", ("pipeline",)),
    Variable("TEST_USERNAME", ("pipeline",)),
    Variable("TEST_PASSWORD", ("pipeline",), secret=True),
)


def default(name: str) -> str:
    """Return the default of a variable of a deployment."""
    return next(one.default for one in DEPLOYMENT if one.name == name)


_EVERY_SERVICE = {"home", "env", "log_format", "log_level", "drain_seconds"}
_LLM = _EVERY_SERVICE | {
    *("routing_table", "storage_path", "llm_api_key"),
    *("hf_endpoint", "hf_token", "hf_offline"),
    *("embedder", "embed_threads"),
}
_EMBEDDINGS = _EVERY_SERVICE | {"embeddings_api_key", "embedder", "embed_threads"}
_NOT_THE_API = {"hf_token", "embeddings_api_key"}


def readers(name: str) -> tuple[Reader, ...]:
    """Return the services that read a setting, by its field's name."""
    said: dict[Reader, bool] = {
        "api": name not in _NOT_THE_API,
        "llm": name in _LLM,
        "embeddings": name in _EMBEDDINGS,
    }
    return tuple(reader for reader, reads in said.items() if reads)


def read_by(
    reader: Reader, values: Mapping[str, str], *, more: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return those of ``values`` that ``reader`` reads, in order; ``more``: keys of replicas."""
    names = {variable(field) for field in Settings.model_fields if reader in readers(field)}
    names |= {one.name for one in DEPLOYMENT if reader in one.readers} | set(more)
    return {name: value for name, value in values.items() if name in names}
