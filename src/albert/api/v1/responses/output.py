"""What a response says: its items as they grow, and the events that tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Event = tuple[str, dict[str, object]]
"""The event's name and body; its number comes with the stream."""

PartKind = Literal["output_text", "refusal", "reasoning_text"]
Status = Literal["in_progress", "completed", "incomplete"]


@dataclass(slots=True)
class _Part:
    kind: PartKind
    said: list[str] = field(default_factory=list)
    logprobs: list[object] = field(default_factory=list)

    def json(self) -> dict[str, object]:
        body: dict[str, object] = {"type": self.kind, **self.text()}
        if self.kind == "output_text":
            body |= {"annotations": [], "logprobs": list(self.logprobs)}
        return body

    def text(self) -> dict[str, object]:
        return {"refusal" if self.kind == "refusal" else "text": "".join(self.said)}


@dataclass(slots=True)
class _Spoken:
    """A message, or what a model thinks before it speaks."""

    id: str
    index: int
    type: Literal["message", "reasoning"]
    status: Status = "in_progress"
    parts: list[_Part] = field(default_factory=list)

    def json(self) -> dict[str, object]:
        body: dict[str, object] = {"id": self.id, "type": self.type, "status": self.status}
        if self.type == "message":
            body["role"] = "assistant"
        else:
            body["summary"] = []
        return body | {"content": [part.json() for part in self.parts]}

    def say(self, kind: PartKind, text: str, logprobs: list[object]) -> Iterator[Event]:
        if not self.parts or self.parts[-1].kind != kind:
            yield from self._close_part()
            self.parts.append(_Part(kind))
            yield "response.content_part.added", self._place() | {"part": self.parts[-1].json()}
        if not text:
            return
        part = self.parts[-1]
        part.said.append(text)
        part.logprobs += logprobs
        known: dict[str, object] = {"logprobs": logprobs} if kind == "output_text" else {}
        yield f"response.{kind}.delta", self._place() | {"delta": text} | known

    def close(self) -> Iterator[Event]:
        yield from self._close_part()

    def _close_part(self) -> Iterator[Event]:
        if not self.parts:
            return
        part = self.parts[-1]
        whole = self._place() | part.text()
        if part.kind == "output_text":
            whole["logprobs"] = list(part.logprobs)
        yield f"response.{part.kind}.done", whole
        yield "response.content_part.done", self._place() | {"part": part.json()}

    def _place(self) -> dict[str, object]:
        return {
            "item_id": self.id,
            "output_index": self.index,
            "content_index": len(self.parts) - 1,
        }


@dataclass(slots=True)
class _Called:
    """A function that the model calls."""

    id: str
    index: int
    call_id: str
    name: str = ""
    status: Status = "in_progress"
    arguments: list[str] = field(default_factory=list)

    def json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": "".join(self.arguments),
        }

    def more(self, arguments: str) -> Iterator[Event]:
        self.arguments.append(arguments)
        yield (
            "response.function_call_arguments.delta",
            {"item_id": self.id, "output_index": self.index, "delta": arguments},
        )

    def close(self) -> Iterator[Event]:
        whole = {
            "item_id": self.id,
            "output_index": self.index,
            "name": self.name,
            "arguments": "".join(self.arguments),
        }
        yield "response.function_call_arguments.done", whole


class Output:
    """The items of one response, in the order in which they began.

    What is spoken is closed where something else begins; function calls stay
    open to the end, for engines may write several of them in turn.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._items: list[_Spoken | _Called] = []
        self._calls: dict[int, _Called] = {}

    def json(self) -> list[dict[str, object]]:
        return [item.json() for item in self._items]

    def say(
        self, kind: PartKind, text: str, logprobs: list[object] | None = None
    ) -> Iterator[Event]:
        type_: Literal["message", "reasoning"] = (
            "reasoning" if kind == "reasoning_text" else "message"
        )
        last = self._items[-1] if self._items else None
        if not isinstance(last, _Spoken) or last.type != type_:
            yield from self._close_spoken()
            prefix = "rs" if type_ == "reasoning" else "msg"
            last = _Spoken(f"{prefix}_{self._new_id()}", len(self._items), type_)
            yield self._begin(last)
        yield from last.say(kind, text, logprobs or [])

    def call(self, index: int, call_id: str, name: str, arguments: str) -> Iterator[Event]:
        """Hear a piece of the call ``index``; ``call_id`` and ``name`` come with its first."""
        called = self._calls.get(index)
        if called is None:
            yield from self._close_spoken()
            unique = self._new_id()
            called = _Called(f"fc_{unique}", len(self._items), call_id or f"call_{unique}", name)
            self._calls[index] = called
            yield self._begin(called)
        elif name:
            called.name += name
        if arguments:
            yield from called.more(arguments)

    def close(self, status: Status) -> Iterator[Event]:
        """End what is open; a response that said nothing says an empty message."""
        if not self._items:
            yield from self.say("output_text", "")
        for item in self._items:
            if item.status == "in_progress":
                yield from self._end(item, status)

    def cut(self) -> None:
        """Leave what is open as it is: the response has failed."""
        for item in self._items:
            if item.status == "in_progress":
                item.status = "incomplete"

    def _begin(self, item: _Spoken | _Called) -> Event:
        added = {"output_index": item.index, "item": item.json()}
        self._items.append(item)
        return "response.output_item.added", added

    def _close_spoken(self) -> Iterator[Event]:
        last = self._items[-1] if self._items else None
        if isinstance(last, _Spoken):
            yield from self._end(last, "completed")

    def _end(self, item: _Spoken | _Called, status: Status) -> Iterator[Event]:
        yield from item.close()
        item.status = status
        yield "response.output_item.done", {"output_index": item.index, "item": item.json()}
