"""The usual gateway: FastAPI and one pooled httpx client, no validation, no feature.

python -m gateway.fastapi_httpx BACKEND
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from gateway.served import serve

_POOL = httpx.Limits(max_connections=1000, max_keepalive_connections=1000)


def make(backend: str) -> FastAPI:
    client = httpx.AsyncClient(limits=_POOL, timeout=300, trust_env=False)

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(lifespan=living)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        asked = await request.json()
        sent = client.build_request(
            "POST", f"{backend}/v1/chat/completions", content=await request.body()
        )
        if not asked.get("stream"):
            answer = await client.send(sent)
            return Response(answer.content, answer.status_code, media_type="application/json")
        answer = await client.send(sent, stream=True)
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, media_type="text/event-stream"
        )

    return app


if __name__ == "__main__":
    serve(make(sys.argv[1]))
