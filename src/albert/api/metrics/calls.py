"""What calls to models count: one line of figures for each model and operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from albert.api.call import Call
from albert.api.metrics import catalogue
from albert.api.metrics.families import (
    SECONDS,
    TOKENS_PER_SECOND,
    Family,
    Histogram,
    Labels,
    sample,
)

UNKNOWN = "unknown"
_MOST_LINES = 500
"""Models times operations; what comes beyond is counted as ``UNKNOWN``."""


class _Line:
    """The figures of one model and operation."""

    __slots__ = (
        *("in_flight", "statuses", "prompt", "completion", "cached", "retries", "fallbacks"),
        *("duration", "queue", "first", "speed"),
    )

    def __init__(self) -> None:
        self.in_flight = 0
        self.statuses: Counter[int] = Counter()
        self.prompt = self.completion = self.cached = 0
        self.retries = 0
        self.fallbacks: Counter[str] = Counter()
        self.duration = Histogram(SECONDS)
        self.queue = Histogram(SECONDS)
        self.first = Histogram(SECONDS)
        self.speed = Histogram(TOKENS_PER_SECOND)


class CallMetrics:
    """A ``Recorder``. Nothing but additions on the way of a call: 3 µs."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], _Line] = {}

    def began(self, call: Call) -> None:
        self._line(call).in_flight += 1

    def ended(self, call: Call) -> None:
        line = self._line(call)
        line.in_flight -= 1
        line.statuses[call.status] += 1
        line.prompt += call.prompt_tokens
        line.completion += call.completion_tokens
        line.cached += call.cached_tokens
        line.duration.observe(call.ended - call.started)
        line.queue.observe(call.queued)
        if call.stream and call.first:
            _observe_stream(line, call)
        if call.attempts > 1:
            line.retries += call.attempts - 1
        if call.answered_by and call.answered_by != call.model:
            line.fallbacks[call.answered_by] += 1

    def _line(self, call: Call) -> _Line:
        line = self._lines.get((call.model, call.operation))
        return line if line is not None else self._new(call.model, call.operation)

    def _new(self, model: str, operation: str) -> _Line:
        if not model or len(self._lines) >= _MOST_LINES:
            model = operation = UNKNOWN
        return self._lines.setdefault((model, operation), _Line())

    def write(self) -> Iterator[str]:
        """Yield the text of every family."""
        yield from self._each(catalogue.REQUESTS, _requests)
        yield from self._each(catalogue.IN_FLIGHT, _number(lambda line: line.in_flight))
        yield from self._each(catalogue.DURATION, _histogram(lambda line: line.duration))
        yield from self._each(catalogue.QUEUE, _histogram(lambda line: line.queue))
        yield from self._each(catalogue.FIRST_TOKEN, _histogram(lambda line: line.first))
        yield from self._each(catalogue.TOKENS, _tokens)
        yield from self._each(catalogue.SPEED, _histogram(lambda line: line.speed))
        yield from self._each(catalogue.RETRIES, _number(lambda line: line.retries))
        yield from self._each(catalogue.FALLBACKS, _fallbacks)

    def _each(self, family: Family, write: _Writer) -> Iterator[str]:
        yield family.header()
        for (model, operation), line in self._lines.items():
            yield from write(family.name, (("model", model), ("operation", operation)), line)


_Writer = Callable[[str, Labels, _Line], Iterator[str]]


def _observe_stream(line: _Line, call: Call) -> None:
    line.first.observe(call.first - call.started)
    seconds = call.ended - call.first
    if call.completion_tokens > 1 and seconds > 0:
        line.speed.observe((call.completion_tokens - 1) / seconds)


def _number(of: Callable[[_Line], int]) -> _Writer:
    def write(name: str, labels: Labels, line: _Line) -> Iterator[str]:
        yield sample(name, labels, of(line))

    return write


def _histogram(of: Callable[[_Line], Histogram]) -> _Writer:
    def write(name: str, labels: Labels, line: _Line) -> Iterator[str]:
        yield from of(line).lines(name, labels)

    return write


def _requests(name: str, labels: Labels, line: _Line) -> Iterator[str]:
    for status, count in sorted(line.statuses.items()):
        yield sample(name, (*labels, ("status", str(status))), count)


def _tokens(name: str, labels: Labels, line: _Line) -> Iterator[str]:
    kinds = (("prompt", line.prompt), ("completion", line.completion), ("cached", line.cached))
    for kind, count in kinds:
        yield sample(name, (*labels, ("kind", kind)), count)


def _fallbacks(name: str, labels: Labels, line: _Line) -> Iterator[str]:
    for other, count in sorted(line.fallbacks.items()):
        yield sample(name, (*labels, ("answered_by", other)), count)
