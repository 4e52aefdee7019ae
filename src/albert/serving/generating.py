"""``POST /generate``: a prompt that is one text, answered as the first generation did."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import orjson

from albert.asgi import fields as read
from albert.asgi.exchange import WRITTEN_BY, Header, Reply, Request
from albert.asgi.fields import Fields
from albert.asgi.problems import SERVER, Problem, invalid
from albert.routing.table import RoutedModel
from albert.serving.engine_client import EngineClient, ToEngine
from albert.serving.engine_fields import check, renamed
from albert.serving.engines.contract import EngineState
from albert.wire.sse import Decoder

_MOST_TEXTS = 16
_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold items back
    WRITTEN_BY,
)


class Generating:
    """Asks the engine's ``/v1/completions``, always streamed: so it notices who leaves.

    ``defaults`` is what a request says where it says nothing.
    """

    def __init__(
        self,
        client: EngineClient,
        engine: EngineState,
        model: RoutedModel,
        defaults: Mapping[str, object],
    ) -> None:
        self._client = client
        self._engine = engine
        self._model = model
        self._defaults = dict(defaults)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Each item of a stream is the whole text so far, so a late reader misses nothing."""
        fields = read.json_object(request.body)
        if read.text(fields, "prompt") is None:
            raise invalid("« prompt » manque : donnez le texte à continuer.", "prompt")
        streamed = read.flag(fields, "stream")
        count = read.integer(fields, "n", least=1, most=_MOST_TEXTS) or 1
        asked = ToEngine(
            path="completions",
            body=self._body(fields),
            headers={"content-type": "application/json", "x-request-id": request.id},
        )
        texts, item = [""] * count, b""
        async with aclosing(self._growing(asked, texts)) as growing:
            async for _ in growing:
                item = orjson.dumps({"text": texts})
                if streamed:
                    if not reply.started:
                        await reply.start(200, _HEADERS)
                    await reply.write(item + b"\0")
        if streamed:
            await reply.end()
        else:
            await reply.json(item, headers=(WRITTEN_BY,))

    def _body(self, fields: Fields) -> bytes:
        said = {name: value for name, value in fields.items() if value is not None}
        check(said, self._engine.unable)
        able = {n: v for n, v in self._defaults.items() if n not in self._engine.unable}
        body = renamed(self._model.driver, able | said)
        ours = {"model": self._model.upstream_name, "stream": True}
        return orjson.dumps({**body, **self._engine.request_extra, **ours})

    async def _growing(self, asked: ToEngine, texts: list[str]) -> AsyncGenerator[None, None]:
        """Let the texts grow; yield once for each reading that brought something, and at the end.

        Raises:
            Problem: the engine refuses, fails, or breaks off.
        """
        decoder, ended, grown = Decoder(strict=True), False, False
        async with self._client.asking(asked) as response:
            async for data in response.content.iter_any():
                brought = False
                for event in _events(decoder, data):
                    ended = ended or event == "[DONE]"
                    brought = (not ended and _grow(texts, event)) or brought
                if brought:
                    grown = True
                    yield
        if not ended:
            raise _broken("La réponse du moteur s'est interrompue : réessayez.")
        if not grown:
            yield


def _events(decoder: Decoder, data: bytes) -> list[str]:
    try:
        return [event.data for event in decoder.feed(data)]
    except ValueError:
        raise _broken("La réponse du moteur est illisible.") from None


def _grow(texts: list[str], event: str) -> bool:
    """Add what an event brings to the text that it is of; say whether it brought anything."""
    try:
        chunk = orjson.loads(event)
    except orjson.JSONDecodeError:
        raise _broken("La réponse du moteur est illisible.") from None
    if isinstance(chunk, dict) and "error" in chunk:
        error = chunk["error"]
        message = error.get("message") if isinstance(error, dict) else None
        raise _broken(str(message or "Le moteur a échoué pendant sa réponse : réessayez."))
    brought = False
    for choice in chunk.get("choices") or () if isinstance(chunk, dict) else ():
        match choice:
            case {"text": str(text), **rest} if text:
                place = rest.get("index", 0)
                if isinstance(place, int) and 0 <= place < len(texts):
                    texts[place] += text
                    brought = True
    return brought


def _broken(message: str) -> Problem:
    return Problem(502, message, type_=SERVER, code="model_unreachable")
