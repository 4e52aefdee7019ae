"""The models: the table of the settings, the engines of this machine, and the way to all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from albert.assistant.contract import Answerer
from albert.assistant.titles import Titler
from albert.bootstrap.prompts import Prompts
from albert.domain.errors import AlbertError
from albert.routing.dispatch import Dispatcher
from albert.routing.replica import LiveReplica
from albert.routing.table import RoutingTable
from albert.serving.supervisor import Supervisor

_log = logging.getLogger(__name__)

_LEAVING_SECONDS = 300.0
"""What answers have to end on an engine that a reload stops."""
_STEP = 0.1


@dataclass(kw_only=True)
class Models:
    """All that answers: from the sheets by name (``answerers``), or as it is (``dispatcher``)."""

    answerers: Mapping[str, Answerer]
    dispatcher: Dispatcher
    named: str = ""
    """The model that the settings name, which answers by default where it is there."""
    prompts: Prompts | None = None
    titler: Titler | None = None
    supervisor: Supervisor | None = None
    """Of the engines of this machine."""
    table: Callable[[], RoutingTable] = field(default=lambda: RoutingTable({}))
    """Reads the table anew."""
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def default(self) -> str:
        """The model that answers whoever names none: extraction where there is no other."""
        return self.named if self.named in self.answerers else next(iter(self.answerers))

    async def reload(self) -> None:
        """Follow the table as it is now; no answer that has begun is cut.

        Raises:
            TableInvalid, SettingInvalid, ModelFileInvalid: it is wrong; nothing has changed then.
        """
        async with self._reloading:
            table = await asyncio.to_thread(self.table)
            fleet = self.dispatcher.fleet
            fleet.check(table)  # before any engine is stopped for it
            if self.supervisor is not None:
                leaving = {id(engine) for engine in self.supervisor.leaving(table)}
                await _empty([r for _, r in fleet.replicas() if id(r.endpoint) in leaving])
                await self.supervisor.reconcile(table)
            fleet.reload(table)
            if self.prompts is not None:
                await self.prompts.look()
            _log.info("routing table read", extra={"action": "table_read", "models": len(table)})

    async def try_reload(self) -> None:
        """Reload; a table that is wrong is told to the log, and the one before stays."""
        try:
            await self.reload()
        except AlbertError as error:
            reasons = " ".join(str(error).splitlines())  # the log keeps the first line alone
            _log.error("routing table refused: %s", reasons, extra={"action": "table_refused"})


async def _empty(replicas: list[LiveReplica]) -> None:
    """Give them nothing more, and wait until they have ended what they began."""
    for replica in replicas:
        replica.draining = True
    waited = 0.0
    while any(replica.in_flight for replica in replicas) and waited < _LEAVING_SECONDS:
        await asyncio.sleep(_STEP)
        waited += _STEP
