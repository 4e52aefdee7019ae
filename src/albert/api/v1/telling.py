"""An answerer's events, told in OpenAI's form: whole, or as a stream."""

from __future__ import annotations

import asyncio
import time

from albert.api.call import Call
from albert.api.provenance import provenance
from albert.api.v1.asked import Asked
from albert.api.v1.relay import FALLBACK
from albert.asgi.exchange import STREAM_HEADERS, WRITTEN_BY, Reply
from albert.assistant.closing import closing
from albert.assistant.contract import Answerer, Event, Finish, Piece, Question, Sources
from albert.domain.documents import Chunk
from albert.domain.errors import InferenceError
from albert.inference.contract import Embedder
from albert.wire.openai import Completion, Provenance, Usage, usage
from albert.wire.sse import DONE


class Telling:
    """One answer being told."""

    def __init__(
        self,
        answerer: Answerer,
        asked: Asked,
        counter: Embedder | None,
        completion: Completion,
        call: Call,
    ) -> None:
        self._answerer = answerer
        self._asked = asked
        self._counter = counter
        self._completion = completion
        self._call = call
        self._found: tuple[Chunk, ...] = ()
        self._said: list[str] = []
        self._finish: Finish | None = None

    async def whole(self, reply: Reply) -> None:
        async with closing(self._answerer.answer(self._asked.question)) as events:
            async for event in events:
                self._hear(event)
        payload = self._completion.whole(
            "".join(self._said), await self._spent(), self._provenance()
        )
        await reply.json(payload, headers=(WRITTEN_BY, *self._call.headers))

    async def stream(self, reply: Reply) -> None:
        """Send the answer as it comes.

        Nothing is sent before its first piece, so that an early error has its status.
        """
        async with closing(self._answerer.answer(self._asked.question)) as events:
            async for event in events:
                self._hear(event)
                if isinstance(event, Piece):
                    await self._open(reply)
                    await reply.write(self._completion.piece(event.text))
        last = self._completion.finish(self._provenance())
        cost = await self._spent()
        if self._asked.counted:
            last += self._completion.usage(cost)
        await self._open(reply)
        await reply.end(last + DONE)

    async def _open(self, reply: Reply) -> None:
        if not reply.started:
            headers = (*STREAM_HEADERS, WRITTEN_BY, *self._call.headers)
            await reply.start(200, headers, events=True)
            await reply.write(self._completion.opening())

    def _hear(self, event: Event) -> None:
        match event:
            case Sources(chunks):
                self._found = chunks
                if event.model:
                    self._call.answered_by = event.model
                    self._call.headers = (
                        *self._call.headers,
                        (FALLBACK, event.model.encode()),
                    )
            case Piece(text):
                self._call.first = self._call.first or time.perf_counter()
                self._said.append(text)
            case Finish():
                self._finish = event

    def _provenance(self) -> Provenance:
        """Tell where the answer comes from.

        Raises:
            InferenceError: the answerer stopped without its last event.
        """
        if self._finish is None:
            raise InferenceError("La réponse s'est interrompue avant la fin : recommencez.")
        return provenance(self._found, self._finish)

    async def _spent(self) -> Usage:
        """Count tokens as the embedding model does: the only tokenizer that is always there."""
        heard = "\n".join(_heard(self._asked.question))
        if self._counter is None:
            return usage(0, 0)
        count = self._counter.token_count
        prompt = await asyncio.to_thread(count, heard)
        completion = await asyncio.to_thread(count, "".join(self._said))
        self._call.prompt_tokens, self._call.completion_tokens = prompt, completion
        return usage(prompt, completion)


def _heard(question: Question) -> list[str]:
    return [*(turn.content for turn in question.history), question.text]
