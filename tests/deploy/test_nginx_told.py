"""Who deploys without being root writes nginx's file; a unit of systemd has nginx read it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from booted_machine import PATIENCE, ROOT, BootedMachine

from albert.deploy.hosts import Host
from albert.deploy.rolling import Front, upstream
from albert.domain.errors import DeploymentError

FILE = "/etc/nginx/albert/upstream.conf"
READS = f"[Service]\nExecStart=\nExecStart=/bin/cp {FILE} /srv/read\n"
"""What stands for « systemctl reload nginx »: no nginx runs there."""


class There:
    """The machine, as a release sees it."""

    name = "there"

    def __init__(self, machine: BootedMachine) -> None:
        self._machine = machine

    def run(self, command: Sequence[str], *, given: str = "") -> str:
        done = self._machine.run(*command, given=given)
        if done.returncode:
            raise DeploymentError(done.stderr)
        return done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[BootedMachine]:
    if os.geteuid() != 0:
        pytest.skip("only root starts a machine")
    if ROOT.is_relative_to("/tmp"):  # noqa: S108 — where the clone is, not where we write
        pytest.skip("the machine has a /tmp of its own: clone elsewhere")
    with BootedMachine(tmp_path / "machine") as one:
        yield one


def test_the_unit_that_watches_is_asked_for_then_has_the_file_read(machine: BootedMachine) -> None:
    front = Front(cast("Host", There(machine)), FILE, reload="", settle=0)
    machine.write(FILE, upstream([]))
    with pytest.raises(DeploymentError, match=r"albert-reload\.path ne surveille pas"):
        front.check()

    for kind in ("path", "service"):
        unit = (ROOT / "contrib" / "nginx" / f"albert-reload.{kind}").read_text("utf-8")
        machine.write(f"/etc/systemd/system/albert-reload.{kind}", unit)
    machine.write("/etc/systemd/system/albert-reload.service.d/read.conf", READS)
    machine.said("systemctl", "daemon-reload")
    machine.said("systemctl", "enable", "--now", "albert-reload.path")
    front.check()

    front.show(["127.0.0.1:8091"])
    end = time.monotonic() + PATIENCE
    while machine.run("cat", "/srv/read").stdout != upstream(["127.0.0.1:8091"]):
        assert time.monotonic() < end, machine.journal()
        time.sleep(0.1)
