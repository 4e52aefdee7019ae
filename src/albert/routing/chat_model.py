"""A chat model of the routing table, streamed in OpenAI's form."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

import orjson

from albert.domain.conversation import Message, Sampling
from albert.domain.errors import InferenceError, ModelUnreachable
from albert.routing import refusals
from albert.routing.dispatch import Dispatcher
from albert.routing.sending import Sending
from albert.wire.sse import Decoder

_ALONE = (
    bytes(range(33, 65)) + bytes(range(91, 97)) + bytes(range(123, 127)) + bytes(range(206, 256))
)


class RoutedChatModel:
    """The model of that name in the table, whatever the table says at the moment of asking."""

    def __init__(self, dispatcher: Dispatcher, model: str, *, window: int) -> None:
        """``window`` is in tokens, for a model whose entry says no ``engine.context``."""
        self.model = model
        self._dispatcher = dispatcher
        self._window = window

    @property
    def window(self) -> int:
        route = self._dispatcher.fleet.find(self.model)
        return (route and route.model.engine.context) or self._window

    def count(self, text: str) -> int:
        """An upper bound in practice: no tokenizer is at hand.

        Each digit, each sign of ASCII punctuation, and one more for each character
        beyond Latin counts 1; the other bytes, letters and blanks, count one half:
        see ``docs/decisions/0004-models-on-the-cpu.md`` for what was measured. The
        server has the last word, and refuses what overflows.
        """
        octets = text.encode("utf-8", "replace")
        others = len(octets.translate(None, _ALONE))
        return len(octets) - others + (others + 1) // 2

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
        body = orjson.dumps(_body(route.model.upstream_name, messages, sampling) | route.extra)
        sending = self._dispatcher.send(route, "chat/completions", body, stream=True)
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


def _body(model: str, messages: Sequence[Message], sampling: Sampling) -> dict[str, object]:
    return {
        "model": model,
        "stream": True,
        "messages": [{"role": m.role, "content": m.content} for m in messages],
        **sampling.said(),
    }


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
        case [{"delta": {"content": str(text)}, **rest}, *_]:
            return text, bool(rest.get("finish_reason"))
        case [{**rest}, *_]:
            return "", bool(rest.get("finish_reason"))
        case []:
            return "", False
    raise _unreadable()
