"""What a line of the log says, and what it never says."""

import json
import logging
import sys

import pytest

from albert.api.auth import Principal
from albert.api.call import Call
from albert.api.call_log import CallLog
from albert.cli.logs import JsonLines, TextLines

CALL = Call(
    request_id="r1",
    principal=Principal(user_id=7, username="camille@exemple.fr"),
    model="llama",
    operation="chat/completions",
    stream=True,
    started=10.0,
    first=10.25,
    ended=11.5,
    status=200,
    prompt_tokens=74,
    completion_tokens=55,
    replica="http://10.0.0.1/v1",
    attempts=1,
)


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    trace = (type(error), error, error.__traceback__) if error is not None else None
    return logging.LogRecord("albert.x", logging.WARNING, "x.py", 1, message, args, trace)


def line(one: logging.LogRecord) -> dict[str, object]:
    text = JsonLines().format(one)
    assert "\n" not in text
    read: dict[str, object] = json.loads(text)
    return read


def raised(words: str) -> Exception:
    try:
        raise ValueError(words)
    except ValueError as error:
        return error


def test_a_call_is_one_line_without_a_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "albert"):
        CallLog().began(CALL)
        CallLog().ended(CALL)
    (one,) = caplog.records

    said = line(one)
    assert said.pop("time")
    assert said == {
        "level": "info",
        "logger": "albert.calls",
        "message": "call",
        "action": "call",
        "request_id": "r1",
        "user_id": 7,
        "model": "llama",
        "operation": "chat/completions",
        "stream": True,
        "status": 200,
        "ms": 1500.0,
        "queued_ms": 0.0,
        "first_ms": 250.0,
        "prompt_tokens": 74,
        "completion_tokens": 55,
        "replica": "http://10.0.0.1/v1",
        "attempts": 1,
    }


def test_calls_are_left_out_below_info(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "albert"):
        CallLog().ended(CALL)
    assert caplog.records == []


def test_text_says_the_same_on_one_line() -> None:
    one = record("drained")
    one.action = "drain"
    assert TextLines().format(one) == "WARNING albert.x drained action=drain"


def test_an_error_is_told_by_its_kind_and_its_way_not_by_its_words() -> None:
    one = record("failed", error=raised("Ma voisine Zénaïde"))
    origin = line(one)["error"]

    assert isinstance(origin, list)
    assert origin[0] == "ValueError"
    assert origin[1].endswith(" raised")
    for formatter in (JsonLines(), TextLines()):
        assert "naïde" not in formatter.format(one)


def test_asyncio_s_second_line_quotes_an_error_and_is_left_out() -> None:
    one = record("Task exception was never retrieved\nfuture: <Task exception=Zénaïde>")
    assert line(one)["message"] == "Task exception was never retrieved"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("DELETE /api/v2/user/token/secret 200", "DELETE /api/v2/user/token/… 200"),
        ("Authorization: Bearer secret", "Authorization: Bearer …"),
        ("GET /api/v2/user/me", "GET /api/v2/user/me"),
    ],
)
def test_tokens_are_hidden(said: str, shown: str) -> None:
    one = record("%s", said)
    one.path = said
    assert line(one)["message"] == shown
    assert line(one)["path"] == shown
    assert "secret" not in TextLines().format(one)


def test_opentelemetry_is_not_imported_unless_it_is_wanted() -> None:
    """In a process of its own: other tests import it here."""
    import subprocess

    program = "import sys, albert.cli.observe; print(*[m for m in sys.modules if 'telem' in m])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
