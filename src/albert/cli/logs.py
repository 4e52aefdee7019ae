"""How the log is written: plain lines, or JSON for machines that gather it."""

from __future__ import annotations

import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Literal

import orjson

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

_COMMON = frozenset(
    [*vars(logging.makeLogRecord({})), "message", "asctime", "color_message", "taskName"]
)
"""What every record has: the rest was said by ``extra``."""
_SECRET = re.compile(r"(/user/token/|\bbearer )[^\s\"'?,)]+", re.IGNORECASE)


def configure(form: Format, level: Level) -> None:
    """Send our own log at ``level``, and others' warnings, to the standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("albert").setLevel(level.upper())


class TextLines(logging.Formatter):
    """``WARNING albert.api: message key=value``, then where an error came from."""

    def format(self, record: logging.LogRecord) -> str:
        said = " ".join(f"{name}={redacted(str(value))}" for name, value in extra(record).items())
        head = f"{record.levelname} {record.name} {message(record)}"
        return "\n  ".join([f"{head} {said}".rstrip(), *_origin(record)])


class JsonLines(logging.Formatter):
    """One JSON object a line, in UTF-8."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message(record),
            **{name: _safe(value) for name, value in extra(record).items()},
        }
        if origin := _origin(record):
            said["error"] = origin
        return orjson.dumps(said, default=str).decode()


def message(record: logging.LogRecord) -> str:
    """Return the first line of what is said: asyncio puts an error's own words on the next."""
    return redacted(record.getMessage().partition("\n")[0])


def extra(record: logging.LogRecord) -> dict[str, object]:
    """Return what was said besides the message."""
    return {name: value for name, value in vars(record).items() if name not in _COMMON}


def redacted(text: str) -> str:
    """Hide the tokens of addresses and headers."""
    return _SECRET.sub(r"\1…", text)


def _safe(value: object) -> object:
    return redacted(value) if isinstance(value, str) else value


def _origin(record: logging.LogRecord) -> list[str]:
    """Return an error's kind and the places it came through, without its own words.

    Those may quote what somebody asked.
    """
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return []
    frames = traceback.extract_tb(error.__traceback__)
    return [
        type(error).__qualname__,
        *(f"{one.filename}:{one.lineno} {one.name}" for one in frames),
    ]
