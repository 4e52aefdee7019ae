"""A chat model of the routing table, streamed in OpenAI's form."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import orjson

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError, ModelUnreachable
from albert.inference import refusals
from albert.inference.tokens import upper_bound
from albert.routing.dispatch import Dispatcher
from albert.routing.sending import Sending
from albert.wire.sse import Decoder


@dataclass(frozen=True, slots=True)
class Raw:
    """How a conversation is written as one text, and what ends the answer to it."""

    write: Callable[[Sequence[Message]], str]
    stops: tuple[str, ...] = ()


class RoutedChatModel:
    """The model of that name in the table, whatever the table says at the moment of asking."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        model: str,
        *,
        window: int,
        raw: Callable[[], Raw | None] = lambda: None,
    ) -> None:
        """``window`` is in tokens, for a model whose entry says no ``engine.context``.

        ``raw`` is asked each time; it says how a conversation is written as one text,
        for a model whose engine is to be sent no messages.
        """
        self.model = model
        self._dispatcher = dispatcher
        self._window = window
        self._raw = raw

    @property
    def window(self) -> int:
        route = self._dispatcher.fleet.find(self.model)
        return (route and route.model.engine.context) or self._window

    def count(self, text: str) -> int:
        """An upper bound in practice: no tokenizer is at hand.

        The server has the last word, and refuses what overflows.
        """
        return upper_bound(text)

    async def stream(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[str, None]:
        """Yield pieces as they come; closing the iterator closes the connection.

        Always streamed on the wire, since that is how llama.cpp and vLLM notice a
        reader who leaves. Until the first byte, what fails is asked of another replica.

        Raises:
            ModelNotFound: the table or the server does not offer this model.
            ModelOverloaded: it asks to come back later.
            ModelDown, ModelTooSlow, ModelUnreachable: it does not answer, or stops half-way.
            InferenceError: it refuses the request, or answers nonsense.
        """
        route = self._dispatcher.fleet.route(self.model)
        raw = self._raw()
        said = _sampled(sampling, route.model.driver, raw)
        if raw is None:
            said["messages"] = [{"role": m.role, "content": m.content} for m in messages]
        else:
            said["prompt"] = raw.write(messages)
        body = {"model": route.model.upstream_name, "stream": True, **said, **route.extra}
        operation = "completions" if raw else "chat/completions"
        sending = self._dispatcher.send(route, operation, orjson.dumps(body), stream=True)
        finished = False
        async with sending as answer:
            if answer.response is None:
                raise refusals.of(answer.status, answer.body, self.model)
            async with contextlib.aclosing(_events(sending)) as events:
                async for event in events:
                    if event == "[DONE]":
                        return
                    piece, finishes = _piece(event)
                    finished = finished or finishes
                    if piece:
                        yield piece
        if not finished:
            raise ModelUnreachable("La réponse du modèle s'est interrompue : réessayez.")


async def _events(sending: Sending) -> AsyncGenerator[str, None]:
    decoder = Decoder(strict=True)
    async with contextlib.aclosing(sending.pieces()) as pieces:
        async for data in pieces:
            try:
                events = decoder.feed(data)
            except ValueError:
                raise _unreadable() from None
            for event in events:
                yield event.data


def _unreadable() -> InferenceError:
    return InferenceError(
        "La réponse du service du modèle est illisible : vérifiez que son adresse, dans la "
        "table de routage, est compatible OpenAI."
    )


def _sampled(sampling: Sampling, driver: str, raw: Raw | None) -> dict[str, object]:
    said = sampling.said()
    if driver == "llama.cpp" and "repetition_penalty" in said:  # its own name for it
        said["repeat_penalty"] = said.pop("repetition_penalty")
    if raw is not None and (stops := (*sampling.stop, *raw.stops)):
        said["stop"] = stops
    return said


def _piece(event: str) -> tuple[str, bool]:
    """Return the text an event brings, and whether it says that the answer is over.

    Raises:
        InferenceError: it is no chat completion chunk, or the server's own error.
    """
    try:
        chunk = orjson.loads(event)
    except orjson.JSONDecodeError:
        raise _unreadable() from None
    if not isinstance(chunk, dict):
        raise _unreadable()
    if "error" in chunk:
        raise refusals.within_a_stream(chunk["error"])
    match chunk.get("choices"):
        case [{"delta": {"content": str(text)}, **rest}, *_] | [{"text": str(text), **rest}, *_]:
            return text, bool(rest.get("finish_reason"))
        case [{**rest}, *_]:
            return "", bool(rest.get("finish_reason"))
        case []:
            return "", False
    raise _unreadable()
