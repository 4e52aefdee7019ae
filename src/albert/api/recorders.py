"""Several recorders as one."""

from __future__ import annotations

from collections.abc import Iterable

from albert.api.call import Call, Recorder


class Recorders:
    """Tells each, in order."""

    def __init__(self, recorders: Iterable[Recorder]) -> None:
        self._recorders = tuple(recorders)

    def began(self, call: Call) -> None:
        for recorder in self._recorders:
            recorder.began(call)

    def ended(self, call: Call) -> None:
        for recorder in self._recorders:
            recorder.ended(call)
