"""What the API serves: values and contracts, built elsewhere and passed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from albert.api.auth import Gate
from albert.api.background import Background
from albert.api.database.engine import Database
from albert.api.mail.contract import Mailer
from albert.api.metrics.page import Metrics
from albert.assistant.contract import Answerer
from albert.assistant.titles import Titler
from albert.index.contract import Coverage
from albert.inference.contract import Embedder
from albert.retrieval.contract import Retriever
from albert.retrieval.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where a language model answers in OpenAI's own form.

    ``base_url`` ends before ``/chat/completions``; ``model`` is its name over there.
    """

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    extra: Mapping[str, object] = field(default_factory=dict)
    """What a streamed request must say besides, for this engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """What is served of one source; ``newest`` is ISO 8601, the most recent date of its sheets."""

    source: str
    sheets: int
    newest: str = ""
    origin: str = ""
    """``"official"``, ``"registry"``, or the path it was read from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the service is. ``coverage`` is ``None`` until the words of the index are ready."""

    version: str
    corpus: tuple[SourceStatus, ...] = ()
    coverage: Coverage | None = None
    models: tuple[str, ...] = ()
    detail: str = ""
    """What is being done or what is wrong, in a French sentence; empty when all is well."""

    @property
    def newest(self) -> str:
        return max((source.newest for source in self.corpus), default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator decides; times in seconds unless said."""

    contact_email: str = ""
    front_url: str = ""
    resume_seconds: float = 15.0
    """For which an answer goes on without a reader."""
    drain_seconds: float = 30.0
    """Given to running answers when the service stops."""
    retention_days: int = 365


async def _nothing() -> None:
    """Neither opens nor closes anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that the API needs, for the life of a worker.

    ``answerers`` has one entry for each model that answers from the sheets,
    ``albert-extractif`` always among them; ``upstreams`` one for each model that
    can be talked to as it is. ``status`` is called at each health check and must
    be cheap. ``secret`` signs sessions. ``open`` and
    ``close`` run once each, around the service.
    """

    answerers: Mapping[str, Answerer]
    default_model: str
    embedder: Embedder
    retriever: Retriever
    library: Library
    status: Callable[[], Status]
    gate: Gate
    database: Database
    mailer: Mailer
    secret: str = field(repr=False)
    policy: Policy = Policy()
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    titler: Titler | None = None
    """Where a model is there to entitle questions."""
    background: Background = field(default_factory=Background)
    metrics: Metrics = field(default_factory=Metrics)
    open: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing
