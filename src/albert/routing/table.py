"""The routing table: which models there are, what serves them, where, and within what limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ModelType = Literal["text-generation", "embeddings", "rerank"]
DriverName = Literal["vllm", "llama.cpp", "embedded", "openai"]
Role = Literal["member", "admin"]

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Replica(_Entry):
    """One place where a model is served."""

    host: str = Field(
        default="",
        description="Hôte, ou adresse entière (https://…/v1) pour le pilote openai. "
        "Vide : « albert up » lance le moteur lui-même, sur cette machine.",
    )
    port: int = Field(
        default=8000, ge=1, le=65535, description="Port, si host n'est pas une adresse"
    )
    weight: float = Field(
        default=1.0, gt=0, le=1000, description="Part des demandes, face aux autres"
    )
    key_variable: str = Field(
        default="",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="Variable d'environnement qui contient la clé ; jamais la clé elle-même",
    )

    @property
    def address(self) -> str:
        """The OpenAI-compatible address, ``/v1`` included; empty when we launch it ourselves."""
        if not self.host or "://" in self.host:
            return self.host.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"


class Engine(_Entry):
    """How the engine is launched; what an engine does not know, it refuses by name."""

    context: Positive | None = Field(
        default=None, description="Jetons lus, question et réponse comprises"
    )
    slots: Positive = Field(default=1, description="Demandes servies à la fois (llama.cpp)")
    threads: Positive | None = Field(default=None, description="Fils de calcul (llama.cpp)")
    gpu_memory_share: float = Field(
        default=0.9, gt=0, le=1, description="Part de la mémoire du GPU (vLLM)"
    )
    tensor_parallel_size: Positive = Field(
        default=1, description="GPU qui se partagent le modèle (vLLM)"
    )
    dtype: str = Field(default="auto", pattern=r"^[a-z0-9_]+$", description="Type des poids (vLLM)")
    python: str = Field(
        default="",
        description="Python où vLLM est installé ; vide : ALBERT_VLLM_PYTHON, ou celui d'Albert",
    )
    flags: tuple[str, ...] = Field(
        default=(), description="Options de plus, passées telles quelles"
    )


class Limits(_Entry):
    """What a model takes at once, by worker of the gateway."""

    concurrent: Positive | None = Field(
        default=None, description="Demandes en cours à la fois, par réplique ; vide : sans limite"
    )
    queue: int = Field(default=100, ge=0, description="Demandes qui attendent leur tour, au plus")
    wait: Seconds = Field(default=10.0, description="Secondes d'attente, au plus")


class Timeouts(_Entry):
    """Seconds given to an engine."""

    connect: Seconds = 5.0
    first_byte: Seconds = 120.0
    between_bytes: Seconds = 60.0
    whole: Seconds = 1800.0


class Costs(_Entry):
    """Euros for a million tokens."""

    prompt: float = Field(default=0.0, ge=0)
    completion: float = Field(default=0.0, ge=0)


class RoutedModel(_Entry):
    """One model of the table; its name is its key there."""

    name: str = Field(default="", exclude=True)
    aliases: tuple[str, ...] = Field(
        default=(), description="Autres noms sous lesquels on l'appelle"
    )
    type: ModelType = "text-generation"
    driver: DriverName = "vllm"
    hf_repo_id: str = Field(default="", description="Dépôt Hugging Face, « organisation/nom »")
    revision: str = Field(default="", description="Révision du dépôt ; vide : la principale")
    file: str = Field(default="", description="Fichier du dépôt, ou chemin d'un fichier local")
    served_name: str = Field(
        default="", description="Nom du modèle chez son moteur ; vide : le nôtre"
    )
    embeddings_hf_repo_id: str = Field(
        default="", description="Modèle de vecteurs que le même service offre à côté"
    )
    force_download: bool = Field(
        default=False, description="Télécharger de nouveau à chaque préparation"
    )
    engine: Engine = Engine()
    replicas: tuple[Replica, ...] = Field(default=(Replica(),), min_length=1)
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    costs: Costs = Costs()
    access: tuple[Role, ...] = Field(default=("member", "admin"), description="Qui peut l'appeler")
    fallback: str = Field(
        default="", description="Modèle qui répond quand toutes les répliques sont en panne"
    )
    api_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port de l'API, au déploiement"
    )
    api_root: str = Field(default="", description="Préfixe de l'API, au déploiement")

    @property
    def upstream_name(self) -> str:
        """How the engine calls it."""
        return self.served_name or self.name


class RoutingTable:
    """Models by name; an alias finds its model too. Read it with ``routing.reading``."""

    def __init__(self, models: Mapping[str, RoutedModel]) -> None:
        self._models = dict(models)
        self._names = {alias: m for m in models.values() for alias in m.aliases} | self._models

    def find(self, name: str) -> RoutedModel | None:
        """Return the model of that name or alias."""
        return self._names.get(name)

    def __iter__(self) -> Iterator[RoutedModel]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)
