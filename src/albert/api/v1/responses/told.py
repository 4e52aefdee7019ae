"""A chat completion, whole or streamed, told as a response."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal
from uuid import uuid4

import orjson

from albert.api.v1.responses.output import Event, Output
from albert.asgi.fields import Fields
from albert.asgi.problems import INVALID, SERVER, Problem
from albert.wire.openai import Provenance
from albert.wire.sse import Decoder, ServerEvent, encode

_DONE = "[DONE]"
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""From a chat's reason to finish to a response's reason not to be complete."""


def _new_id() -> str:
    return uuid4().hex


class ResponseStream:
    """One response: fed with a chat completion's bytes, gives the response's.

    ``repeated`` is what the response object repeats of its request, ``model`` the name it
    has until the completion tells its own.
    """

    def __init__(
        self,
        repeated: Mapping[str, object],
        model: str,
        *,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        self.over = False
        """Whether the last event has been told."""
        self._repeated = repeated
        self._model = model
        self._clock = clock
        self._id = f"resp_{new_id()}"
        self._created = int(clock())
        self._output = Output(new_id)
        self._decoder = Decoder(strict=True)
        self._number = 0
        self._finish = ""
        self._usage: dict[str, object] | None = None
        self._provenance: dict[str, object] = {}

    def opening(self) -> list[bytes]:
        response = self._response("in_progress")
        return self._frames(
            (name, {"response": response}) for name in ("response.created", "response.in_progress")
        )

    def feed(self, data: bytes) -> list[bytes]:
        """Return the events that ``data``, a piece of a chat's event stream, leads to.

        Raises:
            Problem: 502, it is no chat completion.
        """
        try:
            found = self._decoder.feed(data)
        except ValueError:
            raise _unfit() from None
        return [frame for event in found for frame in self._hear(event)]

    def close(self) -> list[bytes]:
        """Return the last events; a chat that ended before its last word has failed."""
        if self.over:
            return []
        if not self._finish:
            message = "Le service du modèle s'est interrompu : recommencez."
            return [self.failure(Problem(502, message, type_=SERVER, code="model_unreachable"))]
        status = self._status()
        frames = self._frames(self._output.close(status))
        self.over = True
        last = self._frame(f"response.{status}", {"response": self._response(status)})
        return [*frames, last]

    def failure(self, problem: Problem) -> bytes:
        """Return the event that tells of an error in mid-stream; nothing after the last event."""
        if self.over:
            return b""
        self.over = True
        self._output.cut()
        error = {
            "code": "rate_limit_exceeded" if problem.status == 429 else "server_error",
            "message": problem.message,
            "param": problem.param,
            "type": problem.type,
        }
        response = self._response("failed") | {"error": error}
        return self._frame("response.failed", {"response": response})

    def whole(self, payload: bytes) -> bytes:
        """Return a whole chat completion as a response object.

        Raises:
            Problem: 502, it is no chat completion.
        """
        completion = _object(payload)
        choices = completion.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise _unfit()
        list(self._take(completion, "message"))  # nobody hears the events, only what they make
        status = self._status()
        list(self._output.close(status))
        return orjson.dumps(self._response(status))

    def _hear(self, event: ServerEvent) -> list[bytes]:
        if self.over:
            return []
        if event.data == _DONE:
            return self.close()
        chunk = _object(event.data.encode())
        if isinstance(error := chunk.get("error"), dict):
            return [self.failure(_problem(error))]
        return self._frames(self._take(chunk, "delta"))

    def _take(self, chat: Fields, name: Literal["delta", "message"]) -> Iterator[Event]:
        """Hear a chunk's ``delta``, or the ``message`` of a whole completion."""
        if isinstance(model := chat.get("model"), str) and model:
            self._model = model
        self._provenance |= {
            key: chat[key] for key in Provenance.__annotations__ if chat.get(key) is not None
        }
        if isinstance(spent := chat.get("usage"), dict):
            self._usage = _usage(spent)
        choices = chat.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or choice.get("index", 0) != 0:
            return
        said = choice.get(name)
        if isinstance(said, dict):
            yield from self._say(said, _logprobs(choice.get("logprobs")))
        if isinstance(finish := choice.get("finish_reason"), str):
            self._finish = finish

    def _say(self, said: Fields, logprobs: list[object]) -> Iterator[Event]:
        if thought := _text(said, "reasoning_content") or _text(said, "reasoning"):
            yield from self._output.say("reasoning_text", thought)
        if text := _text(said, "content"):
            yield from self._output.say("output_text", text, logprobs)
        if refusal := _text(said, "refusal"):
            yield from self._output.say("refusal", refusal)
        calls = said.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else []):
            if not isinstance(call, dict):
                raise _unfit()
            function = call.get("function")
            function = function if isinstance(function, dict) else {}
            index = call.get("index")
            yield from self._output.call(
                index if isinstance(index, int) else place,
                _text(call, "id"),
                _text(function, "name"),
                _text(function, "arguments"),
            )

    def _status(self) -> Literal["completed", "incomplete"]:
        return "incomplete" if self._finish in _INCOMPLETE else "completed"

    def _response(
        self, status: Literal["in_progress", "completed", "incomplete", "failed"]
    ) -> dict[str, object]:
        reason = _INCOMPLETE.get(self._finish) if status == "incomplete" else None
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(self._clock()) if status == "completed" else None,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._model,
            "output": self._output.json(),
            "usage": self._usage,
            **self._repeated,
            **self._provenance,
        }

    def _frames(self, events: Iterable[Event]) -> list[bytes]:
        return [self._frame(name, body) for name, body in events]

    def _frame(self, name: str, body: Mapping[str, object]) -> bytes:
        numbered = {"type": name, "sequence_number": self._number, **body}
        self._number += 1
        return encode(ServerEvent(orjson.dumps(numbered).decode(), name))


def _object(payload: bytes) -> Fields:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise _unfit() from None
    if not isinstance(value, dict):
        raise _unfit()
    return value


def _unfit() -> Problem:
    message = "Le service du modèle a répondu autre chose qu'un texte : réessayez plus tard."
    return Problem(502, message, type_=SERVER, code="model_unreachable")


def _problem(error: Fields) -> Problem:
    message = _text(error, "message") or "Le service du modèle a échoué : réessayez plus tard."
    code = error.get("code")
    limited = code in (429, "429", "rate_limit_exceeded")
    kind = _text(error, "type") or (INVALID if limited else SERVER)
    return Problem(429 if limited else 502, message, type_=kind)


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _count(fields: object, name: str) -> int:
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, int) else 0


def _usage(spent: Fields) -> dict[str, object]:
    heard, said = _count(spent, "prompt_tokens"), _count(spent, "completion_tokens")
    kept = _count(spent.get("prompt_tokens_details"), "cached_tokens")
    thought = _count(spent.get("completion_tokens_details"), "reasoning_tokens")
    return {
        "input_tokens": heard,
        "input_tokens_details": {"cached_tokens": kept, "cache_write_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": heard + said,
    }


def _logprobs(raw: object) -> list[object]:
    content = raw.get("content") if isinstance(raw, dict) else None
    return [_logprob(item) for item in content or [] if isinstance(item, dict)]


def _logprob(item: Fields) -> dict[str, object]:
    others = item.get("top_logprobs")
    known: dict[str, object] = {
        "token": _text(item, "token"),
        "logprob": item.get("logprob") or 0.0,
        "bytes": item.get("bytes") or list(_text(item, "token").encode()),
    }
    if isinstance(others, list):
        known["top_logprobs"] = [_logprob(one) for one in others if isinstance(one, dict)]
    return known
