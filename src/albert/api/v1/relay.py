"""A call passed to a model's own server, and its answer passed back, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from functools import lru_cache

import orjson

from albert.api.call import Call
from albert.api.traces import outgoing_headers
from albert.api.v1.passing import Passing
from albert.api.v1.told import StreamReading, spent
from albert.asgi.exchange import JSON, STREAM_HEADERS, WRITTEN_BY, Header, Reply
from albert.asgi.fields import Fields
from albert.asgi.problems import SERVER, Problem, invalid
from albert.domain.errors import (
    ModelDown,
    ModelForbidden,
    ModelTooSlow,
    ModelUnfit,
    ModelUnreachable,
)
from albert.routing.answer import Answer
from albert.routing.dispatch import Dispatcher
from albert.routing.replica import LiveReplica
from albert.routing.route import Route
from albert.routing.sending import Sending
from albert.routing.table import ModelType
from albert.serving.engines.unable import refusal
from albert.wire.joined import Joined
from albert.wire.sse import Decoder

# RFC 9110, section 7.6.1: of the connection, not of the answer
_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"trailers", b"transfer-encoding", b"upgrade"),
    )
)
_OURS = frozenset(
    (
        *(WRITTEN_BY[0], b"server", b"date", b"set-cookie", b"x-request-id", b"alt-svc"),
        *(b"strict-transport-security", b"content-length", b"access-control-allow-origin"),
    )
)
_DROPPED = _HOP_BY_HOP | _OURS
_STREAMED = frozenset((b"content-type", b"cache-control", b"x-accel-buffering"))
"""Which a stream has from us."""
FALLBACK = b"x-albert-fallback"
"""Names the model that answered in the place of one whose replicas are all down."""

_SERVES: Mapping[str, ModelType] = {
    "chat/completions": "text-generation",
    "completions": "text-generation",
    "embeddings": "embeddings",
    "rerank": "rerank",
}
_DOES: Mapping[ModelType, str] = {
    "text-generation": "écrit du texte (chat/completions, completions, responses)",
    "embeddings": "calcule des vecteurs (embeddings)",
    "rerank": "classe des passages (rerank)",
}
_UNSAID = 1024
"""Tokens that an answer is expected to have at most, where nothing says it: for limits."""
_BYTES_A_TOKEN = 4


class BrokenOff(Problem):
    """The engine stopped before the end of its answer."""

    def __init__(self) -> None:
        message = "La réponse du modèle s'est interrompue : réessayez."
        super().__init__(502, message, type_=SERVER, code="model_unreachable")


class Relay:
    """Passes requests to the models of the table."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def __call__(self, route: Route, passing: Passing, reply: Reply) -> None:
        """Send the request on, and its answer back as it comes.

        Cancelling closes the connection to the model, which stops there too.

        Raises:
            ModelDown: so are all who answer in its place; nothing was told.
            InferenceError: what the last replica did.
            Problem: the engine broke off.
        """
        down: ModelDown | None = None
        for substitute in self._dispatcher.fleet.line(route):
            try:
                await self._pass(substitute, passing, reply)
            except ModelDown as error:
                down = down or error
            else:
                return
        if down is not None:
            raise down

    async def _pass(self, route: Route, passing: Passing, reply: Reply) -> None:
        """Ask a model, and another replica where a whole answer breaks off: nothing was told."""
        failed: list[LiveReplica] = []
        while True:
            try:
                await self._once(route, passing, reply, failed)
            except ModelTooSlow:  # it had its time
                raise
            except (ModelUnreachable, BrokenOff):
                if passing.stream or reply.started or not route.hope(failed):
                    raise
            else:
                return

    async def _once(
        self, route: Route, passing: Passing, reply: Reply, failed: list[LiveReplica]
    ) -> None:
        """Ask a model once; the replicas that were asked in vain are added to ``failed``."""
        call = passing.request.call
        sending = self._dispatcher.send(
            route,
            passing.operation,
            passing.body(route),
            stream=passing.streamed(route),
            headers={"x-request-id": passing.request.id, **outgoing_headers(call)},
            affinity=passing.affinity(route),
            without=failed,
        )
        try:
            async with sending as answer:
                if route.model.name != call.model and not call.answered_by:
                    call.answered_by = route.model.name
                    call.headers = (*call.headers, (FALLBACK, route.model.name.encode()))
                if answer.response is None:
                    spent(call, answer.value)
                    await _whole(answer, call, reply)
                elif passing.stream:
                    await _stream(sending, answer, passing, reply)
                else:
                    await _joined(sending, call, reply)
        except (ModelUnreachable, BrokenOff):
            sending.blame()
            raise
        finally:
            _note(call, sending, passing, before=len(failed))
            failed[:] = sending.tried


def _note(call: Call, sending: Sending, passing: Passing, *, before: int) -> None:
    """Tell the call of its way, however it ended; ``before`` replicas had failed it."""
    call.attempts += len(sending.tried) - before
    call.queued += sending.queued
    if call.completion_tokens and not call.prompt_tokens:  # the engine counts at the end
        call.prompt_tokens = len(passing.request.body) // _BYTES_A_TOKEN
    if sending.replica is not None:
        call.replica = sending.replica.endpoint.base_url


def prepare(route: Route, passing: Passing) -> None:
    """See that the model is for this account and does what is asked; tell the call of it.

    Raises:
        ModelForbidden, ModelUnfit
    """
    call = passing.request.call
    call.model, call.stream = route.model.name, passing.stream
    call.reserved = reserved(passing.request.body, passing.fields)
    check_access(route, call)
    if route.model.type != _SERVES[passing.operation]:
        does = _DOES[route.model.type]
        raise ModelUnfit(f"Le modèle « {route.model.name} » {does} : choisissez-en un autre.")
    for replica in route.replicas:  # those of a model have one engine
        if refused := refusal(passing.fields, replica.endpoint.unable):
            param, sentence = refused
            raise invalid(sentence, param)


def check_access(route: Route, call: Call) -> None:
    """See that the model is for this account.

    Raises:
        ModelForbidden
    """
    if not call.principal.is_admin and "member" not in route.model.access:
        raise ModelForbidden(
            f"Le modèle « {route.model.name} » est réservé aux administrateurs : "
            "demandez-leur, ou choisissez-en un autre."
        )


def reserved(body: bytes, fields: Fields) -> int:
    """Return the tokens that a call may cost: those of its prompt, about, and of its answer."""
    said = fields.get("max_completion_tokens") or fields.get("max_tokens")
    return len(body) // _BYTES_A_TOKEN + (said if isinstance(said, int) and said > 0 else _UNSAID)


async def _whole(answer: Answer, call: Call, reply: Reply) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    await reply.start(answer.status, [*_kept(answer), length, *call.headers])
    await reply.end(answer.body)


async def _joined(sending: Sending, call: Call, reply: Reply) -> None:
    """Tell as a whole what the engine told in events."""
    joined, decoder, done = Joined(), Decoder(strict=True), False
    async with aclosing(sending.pieces()) as pieces:
        async for data in pieces:
            try:
                for event in decoder.feed(data):
                    if done := event.data == "[DONE]":
                        break
                    if '"prompt_progress"' not in event.data:
                        joined.feed(event.data)
            except ValueError:
                raise BrokenOff from None
    if joined.error is not None:
        raise Problem(502, str(joined.error.get("message")), type_=SERVER, code="inference_error")
    if not done:
        raise BrokenOff
    body = joined.whole()
    spent(call, orjson.loads(body))
    await reply.json(body, headers=(WRITTEN_BY, *call.headers))


async def _stream(sending: Sending, answer: Answer, passing: Passing, reply: Reply) -> None:
    call = passing.request.call
    reading = StreamReading(call, asked=passing.asks_usage)
    started = False
    try:
        async with aclosing(sending.pieces()) as pieces:
            async for data in pieces:
                try:
                    told = reading.feed(data)
                except ValueError:
                    raise BrokenOff from None
                if not started:
                    started = True
                    headers = [*STREAM_HEADERS, *_kept(answer), WRITTEN_BY, *call.headers]
                    await reply.start(answer.status, headers, events=True)
                if told:
                    await reply.write(told)
    finally:  # who leaves has had what was told
        rest = reading.end()
    if not reading.done:
        await reply.write(rest)
        raise BrokenOff
    await reply.end(rest)


def _kept(answer: Answer) -> list[Header]:
    """Return the engine's headers that are the answer's own."""
    streamed = answer.response is not None
    kept = [
        (key, value)
        for name, value in answer.headers
        if (key := _lowered(name)) and not (streamed and key in _STREAMED)
    ]
    if streamed:
        return kept
    if not any(key == JSON[0] for key, _ in kept):
        kept.append(JSON)
    kept.append(WRITTEN_BY)
    return kept


@lru_cache(maxsize=512)
def _lowered(name: bytes) -> bytes:
    """Return the name of a header that is passed on, else nothing: engines send the same few."""
    key = name.lower()
    return b"" if key in _DROPPED else key
