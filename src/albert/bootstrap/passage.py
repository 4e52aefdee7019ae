"""The way to the models of the table, for a gateway alone: nothing is launched."""

from __future__ import annotations

import asyncio
import logging

from albert.bootstrap.table import fleet_of, table_of
from albert.domain.errors import AlbertError
from albert.routing.dispatch import Dispatcher
from albert.settings import Settings

_log = logging.getLogger(__name__)


class Passage:
    """Raises ``TableInvalid`` or ``SettingInvalid`` where the table cannot be followed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.dispatcher = Dispatcher(fleet_of(settings, table_of(settings), {}))

    async def try_reload(self) -> None:
        """Follow the table as it is now; where it is wrong, the log says so and it stays."""
        try:
            table = await asyncio.to_thread(table_of, self._settings)
            self.dispatcher.fleet.reload(table)
            _log.info("routing table read", extra={"action": "table_read", "models": len(table)})
        except AlbertError as error:
            reasons = " ".join(str(error).splitlines())  # the log keeps the first line alone
            _log.error("routing table refused: %s", reasons, extra={"action": "table_refused"})
