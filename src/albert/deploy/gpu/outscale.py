"""Outscale's API, as far as a graphics card and its machine need it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
from yarl import URL

from albert.deploy.gpu.signature import Key, headers
from albert.domain.errors import DeploymentError, EnvironmentInvalid

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same call may well succeed."""


class Passing(Exception):
    """The API did not answer this time; says why. What it did is not known: look again."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A flexible GPU; ``state`` is allocated, attaching, attached or detaching."""

    id: str
    state: str
    vm: str
    model: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine; ``state`` is pending, running, stopping, stopped, or on its way out."""

    id: str
    state: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API is, and which card and machine are meant."""

    key: Key
    region: str
    endpoint: str
    gpu: str
    vm: str


def place(values: Mapping[str, str], region: str) -> Place:
    """Read the place from an environment's variables; ``region``: where they name none.

    Raises:
        EnvironmentInvalid: one is missing, or is no address.
    """
    wanted = ("OSC_ACCESS_KEY", "OSC_SECRET_KEY", "OSC_GPU_ID", "OSC_VM_ID")
    if missing := [name for name in wanted if not values.get(name)]:
        raise EnvironmentInvalid(
            f"Pour la carte graphique, il manque {', '.join(missing)} dans les variables de "
            "l'environnement."
        )
    region = values.get("OSC_REGION") or region
    endpoint = values.get("OSC_ENDPOINT_API") or f"https://api.{region}.outscale.com/api/v1"
    if not endpoint.startswith(("https://", "http://127.0.0.1:")):
        raise EnvironmentInvalid("OSC_ENDPOINT_API doit commencer par https:// : corrigez-la.")
    return Place(
        key=Key(values["OSC_ACCESS_KEY"], values["OSC_SECRET_KEY"]),
        region=region,
        endpoint=endpoint.rstrip("/"),
        gpu=values["OSC_GPU_ID"],
        vm=values["OSC_VM_ID"],
    )


class Outscale:
    """Signed calls on the card and the machine of one place; ``now`` gives the time in UTC."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        where: Place,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session, self._place, self._now = session, where, now

    async def gpu(self) -> Gpu:
        """Raises: DeploymentError, Passing."""
        wanted = self._place.gpu
        told = await self._call("ReadFlexibleGpus", Filters={"FlexibleGpuIds": [wanted]})
        found = [one for one in told.get("FlexibleGpus", ()) if one.get("FlexibleGpuId") == wanted]
        if not found:
            raise DeploymentError(
                f"Le compte Outscale n'a pas de carte graphique {wanted} dans la région "
                f"{self._place.region} : corrigez OSC_GPU_ID ou OSC_REGION."
            )
        one = found[0]
        return Gpu(
            id=wanted,
            state=one.get("State", ""),
            vm=one.get("VmId") or "",
            model=one.get("ModelName", ""),
        )

    async def machine(self) -> Machine:
        """Raises: DeploymentError, Passing."""
        wanted = self._place.vm
        told = await self._call("ReadVms", Filters={"VmIds": [wanted]})
        found = [one for one in told.get("Vms", ()) if one.get("VmId") == wanted]
        if not found:
            raise DeploymentError(
                f"Le compte Outscale n'a pas de machine {wanted} dans la région "
                f"{self._place.region} : corrigez OSC_VM_ID ou OSC_REGION."
            )
        tags = {tag["Key"]: tag["Value"] for tag in found[0].get("Tags", ())}
        return Machine(id=wanted, state=found[0].get("State", ""), tags=tags)

    def link(self) -> Awaitable[Mapping[str, Any]]:
        return self._call("LinkFlexibleGpu", FlexibleGpuId=self._place.gpu, VmId=self._place.vm)

    def unlink(self) -> Awaitable[Mapping[str, Any]]:
        return self._call("UnlinkFlexibleGpu", FlexibleGpuId=self._place.gpu)

    def stop(self) -> Awaitable[Mapping[str, Any]]:
        return self._call("StopVms", VmIds=[self._place.vm])

    def start(self) -> Awaitable[Mapping[str, Any]]:
        return self._call("StartVms", VmIds=[self._place.vm])

    async def _call(self, action: str, **asked: object) -> Mapping[str, Any]:
        url = URL(f"{self._place.endpoint}/{action}")
        body = json.dumps(asked).encode()
        host = url.host or ""
        signed = headers(
            self._place.key,
            region=self._place.region,
            host=host if url.is_default_port() else f"{host}:{url.port}",
            path=url.raw_path,
            body=body,
            now=self._now(),
        )
        try:
            async with self._session.post(
                url, data=body, headers=signed, timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                said = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Passing(f"L'API d'Outscale ne répond pas ({type(error).__name__})") from None
        if answer.status in _PASSING:
            raise Passing(f"L'API d'Outscale répond {answer.status}")
        return _told(action, answer.status, said)


def _told(action: str, status: int, said: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(said)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise DeploymentError(
            f"L'API d'Outscale a répondu {status} à {action}, et ce n'est pas du JSON : "
            "vérifiez OSC_ENDPOINT_API."
        )
    if status == 200:
        return value
    mistakes = value.get("Errors") or [{}]
    kind, code = mistakes[0].get("Type", "?"), mistakes[0].get("Code", "?")
    if status in (401, 403):
        raise DeploymentError(
            f"Outscale refuse la clé d'accès pour {action} ({kind}, {code}) : vérifiez "
            "OSC_ACCESS_KEY, OSC_SECRET_KEY, OSC_REGION, et l'heure de cette machine."
        )
    details = " ".join(str(mistakes[0].get("Details", "")).split())[:300]
    raise DeploymentError(f"Outscale refuse {action} ({kind}, {code}) : {details}")
