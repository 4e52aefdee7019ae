"""A circuit breaker: what failed is left alone for a while, then tried with care."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]

THRESHOLD = 3
"""Failures in a row after which a replica is left alone."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds; each failed probe doubles the pause, up to the longest."""


class Breaker:
    """Closed, it lets every request pass; open, none; half-open, one, whose outcome decides.

    It opens after ``THRESHOLD`` failures in a row, or one that leaves no doubt. When its
    pause is over it waits for a probe, which costs no user anything, to make it half-open.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until = 0.0
        self._trying = False
        self.state: State = "closed"

    @property
    def admits(self) -> bool:
        """Whether a request may pass now."""
        return self.state == "closed" or (self.state == "half-open" and not self._trying)

    @property
    def due(self) -> bool:
        """Whether it is time for a probe."""
        return self.state == "open" and self._clock() >= self._until

    @property
    def wait(self) -> float:
        """Seconds until the next probe; 0 where requests pass."""
        return max(0.0, self._until - self._clock()) if self.state == "open" else 0.0

    def begin(self) -> None:
        """Note that a request passes."""
        if self.state == "half-open":
            self._trying = True

    def answered(self) -> None:
        """Note that an answer began: a trial is over, what failed before is not forgotten.

        One that was asked before the breaker opened says nothing of what is now.
        """
        if self.state != "open":
            self.state, self._trying = "closed", False

    def succeed(self) -> None:
        """Note that an answer came to its end: failures are counted from here."""
        self.answered()
        if self.state != "open":
            self._failures, self._pause = 0, FIRST_PAUSE

    def fail(self, *, sure: bool = False) -> bool:
        """Note a failure, and say whether it opened the breaker; ``sure`` needs no other."""
        self._failures += 1
        if self.state == "open":
            return False
        if self.state == "closed" and not sure and self._failures < THRESHOLD:
            return False
        self._open()
        return True

    def release(self) -> None:
        """Note that a request that passed was given up by its reader: it says nothing."""
        self._trying = False

    def probed(self, *, well: bool) -> None:
        """Note the outcome of a probe."""
        if self.state != "open":
            return
        if well:
            self.state, self._trying = "half-open", False
        else:
            self._open()

    def _open(self) -> None:
        self.state, self._trying = "open", False
        self._until = self._clock() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
