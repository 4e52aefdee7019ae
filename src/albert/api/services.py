"""What the API serves: values and contracts, built elsewhere and passed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from albert.api.auth import Gate
from albert.api.auth_log import AuthLog
from albert.api.background import Background
from albert.api.call import Limiter, Recorder, Unlimited, Unrecorded
from albert.api.database.engine import Database
from albert.api.mail.contract import Mailer
from albert.api.metrics.page import Metrics
from albert.assistant.contract import Answerer
from albert.assistant.titles import Titler
from albert.index.contract import Coverage
from albert.inference.contract import Embedder
from albert.prompt.modes import Mode
from albert.retrieval.contract import Retriever
from albert.retrieval.library import Library
from albert.routing.dispatch import Dispatcher
from albert.routing.fleet import Fleet
from albert.routing.table import RoutingTable


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


def _built_in_modes(model: str) -> Mapping[str, Mode]:
    from albert.prompt.config import built_in  # and jinja: not for a gateway alone

    return built_in().modes(model)


async def _nothing() -> None:
    """Neither opens nor closes anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that the API needs, for the life of a worker.

    ``answerers`` has one entry for each model that answers from the sheets;
    ``dispatcher`` reaches those of the routing table, as they are. ``status`` is
    called at each health check and must be cheap. ``secret`` signs sessions. ``open``
    and ``close`` run once each, around the service.
    """

    answerers: Mapping[str, Answerer]
    default: Callable[[], str]
    """Names the model that answers a request that names none."""
    embedder: Embedder
    retriever: Retriever
    library: Library
    status: Callable[[], Status]
    gate: Gate
    database: Database
    mailer: Mailer
    secret: str = field(repr=False)
    policy: Policy = Policy()
    dispatcher: Dispatcher = field(default_factory=lambda: Dispatcher(Fleet(RoutingTable({}))))
    limiter: Limiter = field(default_factory=Unlimited)
    recorder: Recorder = field(default_factory=Unrecorded)
    modes: Callable[[str], Mapping[str, Mode]] = _built_in_modes
    """The ways of asking a model, by its name."""
    titler: Titler | None = None
    """Where a model is there to entitle questions."""
    background: Background = field(default_factory=Background)
    metrics: Metrics = field(default_factory=Metrics)
    auth_log: AuthLog = AuthLog()
    open: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing

    @property
    def default_model(self) -> str:
        return self.default()

    @property
    def names(self) -> tuple[str, ...]:
        """The models that can be asked something."""
        routed = (route.model.name for route in self.dispatcher.fleet)
        return tuple(dict.fromkeys((*self.answerers, *routed)))
