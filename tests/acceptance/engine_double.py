"""A replica for tests of faults: OpenAI's form, at once, late, or nonsense, as it is told.

``python engine_double.py NAME PORT``. It stands in for an engine, which no test can make
answer nonsense; it is a real process on a real socket, killed and stopped for real.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web

MODES = ("well", "slow", "garbage")


class Replica:
    def __init__(self, name: str) -> None:
        self._name = name
        self._mode = "well"

    async def models(self, _request: web.Request) -> web.Response:
        if self._mode == "garbage":
            return web.Response(body=b"\x00\xff<garbage>")
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    async def become(self, request: web.Request) -> web.Response:
        self._mode = await request.text()
        assert self._mode in MODES
        return web.Response()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        streamed = asked.get("stream")
        if self._mode == "garbage":
            kind = "text/event-stream" if streamed else "application/json"
            return web.Response(body=b"\x00\xff<garbage>", content_type=kind)
        await asyncio.sleep(1.0 if self._mode == "slow" else 0.01)
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        if not streamed:
            message = {"role": "assistant", "content": self._name}
            said = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response({"choices": [said], "usage": usage})
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for text in (self._name, "!"):
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            await response.write(_event({"choices": [choice]}))
            await asyncio.sleep(asked.get("pause", 0.01))  # seconds that the test asks for
        await response.write(
            b'data: {"choices":[],"usage":%s}\n\n' % str(usage).replace("'", '"').encode()
        )
        await response.write(b"data: [DONE]\n\n")
        return response


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def main() -> None:
    name, port = sys.argv[1:]
    replica = Replica(name)
    app = web.Application()
    app.router.add_get("/v1/models", replica.models)
    app.router.add_post("/v1/chat/completions", replica.answer)
    app.router.add_post("/mode", replica.become)
    web.run_app(app, host="127.0.0.1", port=int(port), print=None)


if __name__ == "__main__":
    main()
