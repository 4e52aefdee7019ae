"""The routes that FastAPI serves: everything but the hot path."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from albert.api.docs.openapi import describe_raw_routes
from albert.api.docs.page import render
from albert.api.features.accounts import routes as accounts
from albert.api.features.chats import routes as chats
from albert.api.features.directory import routes as directory
from albert.api.features.feedback import routes as feedback
from albert.api.features.health import routes as health
from albert.api.features.models import routes as models
from albert.api.features.privacy import routes as privacy
from albert.api.features.search import routes as search
from albert.api.features.streams import generating
from albert.api.features.streams import routes as streams
from albert.api.features.streams.hub import Hub
from albert.api.features.tokens import routes as tokens
from albert.api.services import Services
from albert.asgi.in_flight import InFlight
from albert.asgi.problems import Problem, problem_of
from albert.domain.errors import AlbertError

_ABOUT = (
    "L'assistant souverain de l'administration : des réponses tirées des fiches officielles, "
    "avec leur date et leur adresse. Les réponses sont écrites par un système automatique."
)


class Web(FastAPI):
    """FastAPI, whose description tells of the raw routes too."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = describe_raw_routes(super().openapi())
        return self.openapi_schema


def build_web(services: Services, in_flight: InFlight, hub: Hub, *, version: str) -> Web:
    # FastAPI's own documentation pages load scripts from elsewhere, which a closed network lacks
    web = Web(title="Albert", description=_ABOUT, version=version, docs_url=None, redoc_url=None)
    web.state.services = services
    web.state.in_flight = in_flight
    web.state.hub = hub
    web.include_router(health.public)
    web.include_router(search.private)
    web.include_router(generating.private)
    web.include_router(directory.private)
    web.include_router(directory.public)
    web.include_router(models.private)
    web.include_router(chats.private)
    web.include_router(streams.private)
    web.include_router(feedback.private)
    web.include_router(privacy.private)
    web.include_router(accounts.public)
    web.include_router(accounts.private)
    web.include_router(tokens.private)
    web.add_api_route("/docs", _read_docs, include_in_schema=False)
    web.add_exception_handler(Problem, _answer_problem)
    web.add_exception_handler(AlbertError, _answer_problem)
    web.add_exception_handler(RequestValidationError, _answer_invalid)
    web.add_exception_handler(HTTPException, _answer_refusal)
    return web


async def _read_docs(request: Request) -> HTMLResponse:
    web: Web = request.app
    page, policy = render(web.openapi())
    return HTMLResponse(page, headers={"content-security-policy": policy})


def _answer_problem(_request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error) if isinstance(error, AlbertError) else error
    if not isinstance(problem, Problem):
        raise error  # FastAPI only calls this for the two classes above
    headers = {key.decode(): value.decode() for key, value in problem.headers}
    return JSONResponse(problem.detail(), problem.status, headers)


def _answer_invalid(_request: Request, error: Exception) -> Response:
    """Say what is wrong with a body, without the body: a password may be in it."""
    if not isinstance(error, RequestValidationError):
        raise error  # FastAPI only calls this for that class
    return _unprocessable([{key: one[key] for key in _TOLD} for one in error.errors()])


_TOLD = ("type", "loc", "msg")
_UNREADABLE = {
    "type": "json_invalid",
    "loc": ("body",),
    "msg": "Le corps de la demande n'est pas du JSON lisible : il faut du JSON en UTF-8.",
}
_ELSEWHERE = {
    404: "Rien ne répond à cette adresse : la liste est à l'adresse /docs.",
    405: "Cette adresse ne s'appelle pas ainsi : la liste est à l'adresse /docs.",
}


def _unprocessable(mistakes: list[dict[str, Any]]) -> Response:
    body = json.dumps({"detail": mistakes})  # in ASCII: names of fields may not be UTF-8
    return Response(body, 422, media_type="application/json")


def _answer_refusal(_request: Request, error: Exception) -> Response:
    """Give what FastAPI itself refuses the form of our refusals, and words in French."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 400 and isinstance(error.__cause__, ValueError | RecursionError):
        return _unprocessable([_UNREADABLE])  # not UTF-8, too deep, or a number without end
    said = _ELSEWHERE.get(error.status_code, error.detail)
    return JSONResponse({"detail": said, "code": None}, error.status_code, error.headers)
