"""GET /health and its short forms; all public, for machines that watch."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from albert.api.access import Served
from albert.api.features.health.schemas import Alive, Health, HealthCheck, health
from albert.asgi.in_flight import InFlight

public = APIRouter(tags=["État du service"])


@public.get("/health", summary="État complet : données, index, modèles")
async def read_health(services: Served) -> Health:
    return health(services.status())


@public.get("/health/live", summary="Le service tourne")
async def read_live() -> Alive:
    return Alive(status="ok")


@public.get(
    "/health/ready",
    summary="Le service peut répondre",
    responses={503: {"model": Alive, "description": "Pas encore, ou plus"}},
)
async def read_ready(request: Request, response: Response, services: Served) -> Alive:
    in_flight: InFlight = request.app.state.in_flight
    if in_flight.draining:
        response.status_code = 503
        return Alive(status="stopping")
    if not services.database.listener.connected:
        response.status_code = 503
        return Alive(status="database")
    if services.status().coverage is None:
        response.status_code = 503
        return Alive(status="starting")
    return Alive(status="ok")


@public.get("/api/v2/healthcheck", summary="Forme attendue par les clients existants")
async def read_healthcheck(services: Served) -> HealthCheck:
    return HealthCheck(version=services.status().version)
