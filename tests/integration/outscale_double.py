"""A cloud of one machine and one card on 127.0.0.1, that behaves as Outscale says its own does.

The real one cannot be reached from a test. Each look at the machine moves it one step on.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

_NEXT = {"pending": "running", "stopping": "stopped"}
_AS_STOPPED = {"attaching": "attached", "detaching": "allocated"}


@dataclass
class Asked:
    """A request as it came: what a judge needs to compute its signature anew."""

    path: str
    host: str
    date: str
    authorization: str
    body: str

    @property
    def action(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass
class Cloud:
    card: str = "allocated"
    holder: str = ""
    machine: str = "running"
    tags: dict[str, str] = field(default_factory=lambda: {"env": "staging"})
    failures: list[web.Response] = field(default_factory=list)
    """Given first, one a request, whatever is asked."""
    asked: list[Asked] = field(default_factory=list)
    address: str = ""

    @property
    def changes(self) -> list[str]:
        """The calls that change something, in order."""
        return [one.action for one in self.asked if not one.action.startswith("Read")]

    async def handle(self, request: web.Request) -> web.Response:
        told = request.headers
        body = await request.text()
        self.asked.append(
            Asked(request.path, told["Host"], told["X-Osc-Date"], told["Authorization"], body)
        )
        if self.failures:
            return self.failures.pop(0)
        act = getattr(self, f"_{self.asked[-1].action}", None)
        if act is None:
            return refusal(404, "InvalidAction", "12000")
        answer: web.Response = act(json.loads(body))
        return answer

    def _ReadFlexibleGpus(self, asked: dict[str, dict[str, list[str]]]) -> web.Response:  # noqa: N802 — the API's name
        found = {
            "FlexibleGpuId": "fgpu-1",
            "State": self.card,
            "ModelName": "nvidia-a100",
            "VmId": self.holder,
        }
        wanted = "fgpu-1" in asked["Filters"]["FlexibleGpuIds"]
        return web.json_response({"FlexibleGpus": [found] if wanted else []})

    def _ReadVms(self, asked: dict[str, dict[str, list[str]]]) -> web.Response:  # noqa: N802
        self._go(_NEXT.get(self.machine, self.machine))
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        found = {"VmId": "i-1", "State": self.machine, "Tags": tags}
        return web.json_response({"Vms": [found] if "i-1" in asked["Filters"]["VmIds"] else []})

    def _LinkFlexibleGpu(self, asked: dict[str, str]) -> web.Response:  # noqa: N802
        if self.card != "allocated":
            return refusal(409, "ResourceConflict", "9044")
        self.card, self.holder = "attaching", asked["VmId"]
        return web.json_response({})

    def _UnlinkFlexibleGpu(self, asked: dict[str, str]) -> web.Response:  # noqa: N802
        if self.card not in ("attached", "attaching"):
            return refusal(409, "ResourceConflict", "9044")
        self.card = "detaching"
        return web.json_response({})

    def _StopVms(self, asked: dict[str, list[str]]) -> web.Response:  # noqa: N802
        if self.machine != "running":
            return refusal(409, "InvalidState", "6003")
        self.machine = "stopping"
        return web.json_response({"Vms": []})

    def _StartVms(self, asked: dict[str, list[str]]) -> web.Response:  # noqa: N802
        if self.machine != "stopped":
            return refusal(409, "InvalidState", "6003")
        self.machine = "pending"
        return web.json_response({"Vms": []})

    def _go(self, machine: str) -> None:
        self.machine = machine
        if machine == "stopped":
            self.card = _AS_STOPPED.get(self.card, self.card)
            self.holder = "" if self.card == "allocated" else self.holder


def refusal(status: int, kind: str, code: str, details: str = "no") -> web.Response:
    errors = [{"Type": kind, "Code": code, "Details": details}]
    return web.json_response({"Errors": errors}, status=status)


@contextmanager
def serving(cloud: Cloud) -> Iterator[Cloud]:
    """Serve it from a thread, for programs that run beside the test."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def begin() -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", cloud.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        cloud.address = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1"
        ready.set()
        await asyncio.to_thread(ended.wait)
        await runner.cleanup()

    ended = threading.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(begin()))
    thread.start()
    try:
        assert ready.wait(10)
        yield cloud
    finally:
        ended.set()
        thread.join(10)
        loop.close()
