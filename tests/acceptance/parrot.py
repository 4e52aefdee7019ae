"""An engine that repeats the last thing it is told: it writes any link that one likes.

It prints its address, then serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import sys

from aiohttp import web


async def models(_request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "parrot", "object": "model"}]})


async def answer(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    text = asked["messages"][-1]["content"][-2000:]
    if not asked.get("stream"):
        message = {"role": "assistant", "content": text}
        said = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response({"choices": [said], "usage": usage})
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for piece, reason in ((text, None), ("", "stop")):
        choice = {"index": 0, "delta": {"content": piece}, "finish_reason": reason}
        await response.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


async def main() -> None:
    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}/v1\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
