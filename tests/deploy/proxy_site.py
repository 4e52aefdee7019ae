"""A private machine with nginx and our files, as the guide puts them there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from private_machine import PATIENCE, PrivateMachine

DOMAIN = "mondomaine.com"
SITE = "/etc/nginx/sites-available/albert.conf"
UPSTREAM = Path(__file__).with_name("proxy_upstream.py")

GUIDE = """
sudo cp ./contrib/nginx/albert-upstream.conf /etc/nginx/conf.d/
cd contrib/nginx && sudo cp albert.conf albert-default.conf /etc/nginx/sites-available/
cd /etc/nginx/sites-enabled && sudo rm -f default && sudo ln -s ../sites-available/albert*.conf .
"""


def install_site(machine: PrivateMachine, edit: str = "") -> None:
    """Type the guide's commands, edit the site as ``sed`` is told, and start nginx."""
    machine.shell(GUIDE)
    machine.run("sed", "-i", "-E", edit, SITE)
    machine.run("nginx")
    machine.wait_for(80)


def publish_below(machine: PrivateMachine) -> None:
    """Take the comments off the lines that publish under /albert."""
    machine.shell(rf"sed -i -E '/# location .albert/,/# \}}/ s/# //' {SITE} && nginx -s reload")


def start_upstream(
    machine: PrivateMachine, name: str, port: int, control: int
) -> subprocess.Popen[bytes]:
    process = machine.start(sys.executable, str(UPSTREAM), name, str(port), str(control))
    machine.wait_for(port)
    return process


@dataclass(frozen=True)
class Got:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    names: dict[str, str] = field(init=False)
    """The headers, by their lower-case names."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", {name.lower(): value for name, value in self.headers})

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


def call(
    machine: PrivateMachine,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Got:
    """Ask the site something over HTTP, from outside."""
    connection = HTTPConnection(machine.address, 80, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Host": DOMAIN, **(headers or {})})
        answer: HTTPResponse = connection.getresponse()
        return Got(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def order(machine: PrivateMachine, control: int, method: str, path: str) -> bytes:
    """Tell an upstream what to do, past the proxy."""
    connection = HTTPConnection(machine.address, control, timeout=PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()
    finally:
        connection.close()
