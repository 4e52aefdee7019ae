"""The routes that FastAPI serves: everything but the hot path."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from albert.api.errors import Problem, problem_of
from albert.api.features.health import routes as health
from albert.api.features.search import routes as search
from albert.api.in_flight import InFlight
from albert.api.services import Services
from albert.domain.errors import AlbertError


def build_web(services: Services, in_flight: InFlight, *, version: str) -> FastAPI:
    web = FastAPI(title="Albert", version=version, docs_url=None, redoc_url=None)
    web.state.services = services
    web.state.in_flight = in_flight
    web.include_router(health.public)
    web.include_router(search.private)
    web.add_exception_handler(Problem, _answer_problem)
    web.add_exception_handler(AlbertError, _answer_problem)
    return web


def _answer_problem(_request: Request, error: Exception) -> JSONResponse:
    problem = error if isinstance(error, Problem) else None
    if isinstance(error, AlbertError):
        problem = problem_of(error)
    if problem is None:  # FastAPI only calls this for the two classes above
        raise error
    headers = {key.decode(): value.decode() for key, value in problem.headers}
    return JSONResponse({"detail": problem.message, "code": problem.code}, problem.status, headers)
