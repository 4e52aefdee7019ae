"""One line of the log for each call to a model: whose, which, how long; never what was said."""

from __future__ import annotations

import logging

from albert.api.call import Call

_log = logging.getLogger("albert.calls")


class CallLog:
    """A ``Recorder``. It costs nothing where the level of the log leaves its lines out."""

    def began(self, call: Call) -> None:
        """Say nothing yet."""

    def ended(self, call: Call) -> None:
        if _log.isEnabledFor(logging.INFO):
            _log.info("call", extra=told(call))


def told(call: Call) -> dict[str, object]:
    """Return what is said of a call; times in milliseconds."""
    said: dict[str, object] = {
        "action": "call",
        "request_id": call.request_id,
        "user_id": call.principal.user_id,
        "model": call.model,
        "operation": call.operation,
        "stream": call.stream,
        "status": call.status,
        "ms": _ms(call.ended - call.started),
        "queued_ms": _ms(call.queued),
        "first_ms": _ms(call.first - call.started) if call.first else None,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "replica": call.replica or None,
        "attempts": call.attempts,
        "answered_by": call.answered_by or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _ms(seconds: float) -> float:
    return round(1e3 * seconds, 1)
