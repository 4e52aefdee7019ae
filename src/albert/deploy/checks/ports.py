"""The ports of the plan: free, or held by the service that they are for."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
from typing import Any

from albert import __version__
from albert.deploy.checks.asking import Answer
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine
from albert.deploy.plan import LOCAL, Service


async def check_ports(machine: Machine) -> list[Finding]:
    return list(await asyncio.gather(*(_check(machine, one) for one in machine.services)))


async def _check(machine: Machine, service: Service) -> Finding:
    what = f"Port {service.port} ({service.name})"
    match _tried(service.port):
        case 0:
            return ok(f"{what} : libre.")
        case errno.EACCES:
            return error(
                f"{what} : ce compte ne peut pas écouter sous 1024.",
                "Prenez un port plus haut, derrière le mandataire inverse.",
            )
        case errno.EADDRINUSE:
            return _held(service, what, await _asked(machine, service))
        case number:
            return error(f"{what} : inutilisable ({errno.errorcode.get(number, number)}).")


def _tried(port: int) -> int:
    """Try to take a port of every address, and return why it cannot be had; 0 if it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("", port))
        except OSError as refused:
            return refused.errno or -1
    return 0


async def _asked(machine: Machine, service: Service) -> Answer:
    """Ask whoever holds the port how it is: on loopback, else where the plan has it."""
    answer = await machine.asking.get(f"http://127.0.0.1:{service.port}/health")
    if answer.silence == "refused" and service.host != LOCAL:
        answer = await machine.asking.get(f"http://{service.host}:{service.port}/health")
    return answer


def _held(service: Service, what: str, answer: Answer) -> Finding:
    said = _object(answer.body)
    if answer.status == 200 and _is(service, said):
        running = str(said.get("version", __version__))
        if running != __version__:
            return warning(
                f"{what} : tenu par Albert {running}, et c'est Albert {__version__} qui est "
                "installé.",
                "Relancez ce service.",
            )
        return ok(f"{what} : tenu par ce service d'Albert, qui répond.")
    if answer.status == 503 and isinstance(said.get("error", said.get("status")), dict | str):
        return warning(f"{what} : tenu par un service d'Albert qui n'est pas encore prêt.")
    if answer.status == 200 and said.get("status") == "ok":
        return error(
            f"{what} : tenu par un autre service d'Albert ({_told(said)}).",
            "Arrêtez-le, ou changez l'un des deux ports (table de routage, API_PORTS).",
        )
    return error(
        f"{what} : pris par un autre programme.",
        f"« ss -ltnp sport = :{service.port} » dit lequel : arrêtez-le, ou changez de port "
        "(table de routage, API_PORTS).",
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _is(service: Service, said: dict[str, Any]) -> bool:
    """Whether what ``/health`` says is what that service says."""
    if said.get("status") not in ("ok", "starting"):
        return False
    if service.kind == "api":
        return "version" in said
    if service.kind == "embeddings":
        return "model" in said
    return service.model is not None and said.get("model") == service.model.upstream_name


def _told(said: dict[str, Any]) -> str:
    return f"« {said['model']} »" if "model" in said else "l'API"
