"""How long an engine is waited for, and how soon it is launched again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """All in seconds, but for what is counted."""

    start: float = 900.0
    """From the launch to the first token: a large model is read from a slow disk in minutes."""
    attempts: int = 3
    """Launches of an engine that has never been ready, before it is given up until a reload."""
    pause: float = 1.0
    """Before the second launch; doubled at each of those that follow."""
    longest_pause: float = 60.0
    stable: float = 120.0
    """An engine that served for so long begins again with the shortest pause."""
    poll: float = 0.1
    """Between two requests for its first token."""
    health: float = 5.0
    """Between two looks at an engine that serves, and the time it has to answer each."""
    misses: int = 4
    """Looks in a row without an answer, after which it hangs: it is killed and launched again."""
    stop: float = 5.0
    """Between SIGTERM and SIGKILL."""


class Pauses:
    """The pauses between the lives of one engine: exponential, with a ceiling."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.failures = 0
        """Lives in a row that did not last."""

    def after(self, served: float) -> float:
        """Return how long to wait after a life that served for so many seconds."""
        if served >= self._patience.stable:
            self.failures = 0
        self.failures += 1
        doubled = min(self.failures - 1, 32)  # beyond, the ceiling holds whatever it is
        return min(self._patience.longest_pause, self._patience.pause * float(2**doubled))
