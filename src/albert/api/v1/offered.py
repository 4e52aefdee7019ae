"""What the routes under /v1 need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from albert.api.auth import Gate
    from albert.api.call import Limiter, Recorder
    from albert.api.database.engine import Database
    from albert.assistant.contract import Answerer
    from albert.inference.contract import Embedder
    from albert.routing.dispatch import Dispatcher


class Offered(Protocol):
    """A whole API has it, and so has a gateway alone."""

    @property
    def gate(self) -> Gate: ...

    @property
    def answerers(self) -> Mapping[str, Answerer]: ...

    @property
    def default_model(self) -> str:
        """The model that answers a request that names none; may be empty."""
        ...

    @property
    def embedder(self) -> Embedder | None:
        """In this process, where there is one."""
        ...

    @property
    def dispatcher(self) -> Dispatcher: ...

    @property
    def database(self) -> Database: ...

    @property
    def limiter(self) -> Limiter: ...

    @property
    def recorder(self) -> Recorder: ...

    @property
    def names(self) -> tuple[str, ...]:
        """The models that can be asked something."""
        ...
