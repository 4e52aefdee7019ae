"""The chunks of a stream, joined into the answer that was asked whole."""

from __future__ import annotations

from typing import Any

import orjson

_OF_CHUNKS = {"chat.completion.chunk": "chat.completion"}
_TEXTS = ("content", "reasoning_content", "refusal", "text", "arguments")


class Joined:
    """Feed it every chunk, in order; ``whole`` is what OpenAI's API answers without a stream."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self.error: dict[str, Any] | None = None
        """What the engine said went wrong, in mid-stream."""

    def feed(self, event: str) -> None:
        """Add the data of one event.

        Raises:
            ValueError: it is no chunk.
        """
        chunk = orjson.loads(event)
        if not isinstance(chunk, dict):
            raise ValueError("not an object")  # noqa: TRY004 — one kind of nonsense among others
        if isinstance(chunk.get("error"), dict):
            self.error = chunk["error"]
            return
        for choice in chunk.pop("choices", ()):
            self._add(choice)
        self._head |= {name: value for name, value in chunk.items() if value is not None}

    def whole(self) -> bytes:
        kind = str(self._head.get("object", ""))
        choices = [self._choices[index] for index in sorted(self._choices)]
        return orjson.dumps(
            {**self._head, "object": _OF_CHUNKS.get(kind, kind), "choices": choices}
        )

    def _add(self, choice: dict[str, Any]) -> None:
        index = int(choice.get("index", 0))
        made = self._choices.setdefault(index, {"index": index})
        delta = choice.pop("delta", None)
        if isinstance(delta, dict):
            message = made.setdefault("message", {"role": "assistant", "content": None})
            _join(message, delta)
        _join(made, {name: value for name, value in choice.items() if name != "index"})


def _join(made: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        before = made.get(name)
        if value is None:
            made.setdefault(name, None)
        elif name == "tool_calls":
            made[name] = _calls(before or [], value)
        elif name in _TEXTS and isinstance(before, str):
            made[name] = before + str(value)
        elif isinstance(before, list) and isinstance(value, list):
            made[name] = before + value
        elif isinstance(before, dict) and isinstance(value, dict):
            _join(before, value)
        else:
            made[name] = value


def _calls(made: list[dict[str, Any]], more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the pieces of tool calls, told apart by their ``index``, which a whole answer lacks."""
    for piece in more:
        index = int(piece.get("index", len(made)))
        while len(made) <= index:
            made.append({})
        _join(made[index], {name: value for name, value in piece.items() if name != "index"})
    return made
