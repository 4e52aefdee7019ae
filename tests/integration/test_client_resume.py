"""The client before a service that breaks, delays, refuses or sends elsewhere."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from http_double import Answer, Host, serving, silent, status

from albert.client import AsyncAlbert
from albert.client.errors import (
    AnswerCut,
    AnswerFailed,
    ApiError,
    NotFound,
    ReplyInvalid,
    RequestRefused,
    ServiceFailed,
    ServiceUnreachable,
    TokenRefused,
    TooManyAttempts,
)
from albert.client.resuming import AsyncAnswerStream

pytestmark = pytest.mark.integration

TOKEN = "albert-secret"  # noqa: S105 — opens nothing


def said(end: object, text: str = "", **more: object) -> bytes:
    reason = {"end": "stop"}.get(str(end))
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return f"id: {end}\ndata: {json.dumps({'choices': [choice], **more})}\n\n".encode()


END = said("end", state="done", model="m") + b"data: [DONE]\n\n"


def tells(*parts: bytes, breaks: bool = False, waits: float = 0) -> Answer:
    """Says the parts, waits, then ends as HTTP wants, or breaks the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0.01)
        await asyncio.sleep(waits)
        if breaks and request.transport is not None:
            request.transport.abort()
        return response

    return answer


def refuses(code: int, body: object, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=code, headers=headers)

    return answer


def run(
    *answers: Answer,
    story: Callable[[AsyncAlbert, Host], Awaitable[None]],
    delays: tuple[float, ...] = (0.0, 0.01),
    silence: float = 5,
) -> None:
    async def told() -> None:
        async with (
            serving(*answers) as host,
            AsyncAlbert(host.address, TOKEN, delays=delays, silence=silence, timeout=5) as client,
        ):
            await story(client, host)

    asyncio.run(told())


async def heard(client: AsyncAlbert) -> tuple[list[str], AsyncAnswerStream]:
    stream = await client.streams.start(7)
    return [piece async for piece in stream], stream


def resumed_from(host: Host) -> list[str]:
    return [
        headers.get("last-event-id", headers.get("Last-Event-ID", "")) for _, headers in host.asked
    ]


def test_a_broken_answer_is_taken_up_where_it_stopped() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        pieces, stream = await heard(client)
        assert pieces == ["Été ", "comme ", "hiver 🙂"]
        assert stream.answer.text == "Été comme hiver 🙂"
        assert (stream.answer.state, stream.answer.model) == ("done", "m")
        assert resumed_from(host) == ["", "4", "10"]
        assert {path for path, _ in host.asked} == {"/api/v2/stream/7/start"}

    run(
        tells(said(4, "Été "), breaks=True),
        tells(said(10, "comme "), said(17, "hiver 🙂")[:30], breaks=True),
        tells(said(17, "hiver 🙂"), END),
        story=story,
    )


def test_what_is_said_again_is_not_heard_twice() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        pieces, _ = await heard(client)
        assert pieces == ["abcd", "ef"]

    run(
        tells(said(4, "abcd"), breaks=True),
        tells(said(2, "ab"), said(6, "cdef"), END),
        story=story,
    )


def test_a_hole_in_the_answer_is_asked_for_again() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        pieces, _ = await heard(client)
        assert pieces == ["ab", "cd", "ef"]
        assert resumed_from(host) == ["", "2"]

    run(
        tells(said(2, "ab"), said(6, "ef"), END),
        tells(said(4, "cd"), said(6, "ef"), END),
        story=story,
    )


def test_an_answer_whose_end_alone_is_missing_is_whole() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        pieces, stream = await heard(client)
        assert pieces == ["ab"]
        assert stream.answer.state == "interrupted"
        assert len(host.asked) == 1

    run(tells(said(2, "ab"), said("end", state="interrupted"), breaks=True), story=story)


def test_a_service_that_falls_silent_is_asked_again() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        pieces, _ = await heard(client)
        assert pieces == ["ab", "cd"]

    run(
        tells(said(2, "ab"), waits=3),
        tells(said(4, "cd"), END),
        story=story,
        silence=0.2,
    )


def test_a_lost_answer_says_what_was_heard_and_can_be_tried_again() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        stream = await client.streams.start(7)
        assert await stream.next_piece() == "ab"
        with pytest.raises(AnswerCut) as caught:
            await stream.next_piece()
        assert caught.value.text == "ab"
        assert len(host.asked) == 3
        assert (await stream.whole()).text == "abcd"

    cut = tells(breaks=True)
    run(tells(said(2, "ab"), breaks=True), cut, cut, tells(said(4, "cd"), END), story=story)


def test_a_proxy_whose_service_restarts_is_asked_again() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        assert (await heard(client))[0] == ["ab"]

    stopping = refuses(503, {"detail": "Le service s'arrête.", "code": "stopping"})
    run(status(502), stopping, tells(said(2, "ab"), END), story=story)


def test_a_model_that_does_not_answer_is_not_asked_again() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        with pytest.raises(ServiceFailed) as caught:
            await heard(client)
        assert caught.value.code == "model_unreachable"
        assert len(host.asked) == 1

    run(refuses(502, {"detail": "Le modèle…", "code": "model_unreachable"}), story=story)


def test_an_error_in_mid_answer_comes_after_what_was_said() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        stream = await client.streams.start(7)
        assert await stream.next_piece() == "ab"
        with pytest.raises(AnswerFailed, match="ne répond pas") as caught:
            await stream.next_piece()
        assert (caught.value.code, caught.value.text) == ("model_unreachable", "ab")

    error = {"message": "Le modèle ne répond pas.", "type": "t", "code": "model_unreachable"}
    run(tells(said(2, "ab"), said("end", error=error), b"data: [DONE]\n\n"), story=story)


def test_what_is_no_answer_is_refused() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        with pytest.raises(ReplyInvalid):
            await heard(client)

    run(tells(b"data: <html>\n\n"), story=story)


def test_an_answer_heard_to_its_end_elsewhere_has_nothing_left() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        assert (await heard(client))[0] == []

    run(status(204), story=story)


def test_a_reader_who_leaves_in_mid_answer_leaves_nothing_open() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        stream = await client.streams.start(7)
        assert await stream.next_piece() == "ab"
        await client.close()
        del stream
        gc.collect()  # what was left open would warn, and warnings are errors

    run(tells(said(2, "ab"), waits=0.5), story=story)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(400, RequestRefused), (401, TokenRefused), (404, NotFound), (500, ServiceFailed)],
)
def test_a_refusal_has_its_status_code_message_and_request(code: int, kind: type[ApiError]) -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        with pytest.raises(kind) as caught:
            await client.me()
        told = caught.value
        assert (told.status, told.code, told.message) == (code, "a_code", "Non.")
        assert (told.request_id, str(told)) == ("r1", "Non.")

    run(refuses(code, {"detail": "Non.", "code": "a_code"}, **{"x-request-id": "r1"}), story=story)


def test_fields_that_are_refused_are_named() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        with pytest.raises(RequestRefused, match="limit : Trop grand"):
            await client.search("passeport", limit=1000)

    problem = {"loc": ["body", "limit"], "msg": "Trop grand", "type": "t"}
    run(refuses(422, {"detail": [problem]}), story=story)


def test_too_many_attempts_say_how_long_to_wait() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        with pytest.raises(TooManyAttempts) as caught:
            await client.sign_in("camille", "faux-mot-2-passe")
        assert caught.value.seconds == 60

    run(refuses(429, {"detail": "Attendez."}, **{"retry-after": "60"}), story=story)


def test_a_redirection_is_not_followed() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        with pytest.raises(ServiceFailed, match="302"):
            await client.me()
        assert len(host.asked) == 1

    run(status(302, location="/elsewhere"), story=story)


def test_a_call_that_lasts_too_long_is_given_up() -> None:
    async def story(client: AsyncAlbert, host: Host) -> None:
        hasty = AsyncAlbert(host.address, TOKEN, timeout=0.1)
        async with hasty:
            with pytest.raises(ServiceUnreachable):
                await hasty.me()

    run(silent, story=story)


def test_no_error_holds_the_token() -> None:
    async def nonsense(request: web.Request) -> web.StreamResponse:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.transport is not None
        request.transport.write(b"HTTP/nonsense\r\n\r\n")
        return web.Response()

    async def story(client: AsyncAlbert, host: Host) -> None:
        with pytest.raises(ServiceUnreachable) as caught:
            await client.me()
        error: BaseException | None = caught.value
        while error is not None:
            assert TOKEN not in f"{error!r} {error} {vars(error)}"
            error = error.__context__

    run(nonsense, story=story)
