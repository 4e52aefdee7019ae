"""ufw, with our application profile: what is closed, and what stays open."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from private_machine import PrivateMachine
from proxy_site import call, install_site, start_upstream

CONTROL = 9000
PROFILE = "sudo cp ./contrib/ufw/albert /etc/ufw/applications.d/albert"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[PrivateMachine]:
    with PrivateMachine(tmp_path / "machine") as one:
        start_upstream(one, "first", 8090, CONTROL)
        install_site(one)
        one.shell(PROFILE)
        yield one


def opens(machine: PrivateMachine, port: int) -> bool:
    try:
        socket.create_connection((machine.address, port), 2).close()
    except OSError:
        return False
    return True


def test_ufw_reads_the_profile(machine: PrivateMachine) -> None:
    assert "80,443/tcp" in machine.run("ufw", "app", "info", "Albert").stdout


@pytest.mark.parametrize("profile", ["Nginx Full", "Albert"])
def test_the_site_stays_open_and_the_rest_is_closed(machine: PrivateMachine, profile: str) -> None:
    assert opens(machine, CONTROL)
    machine.shell(f"sudo ufw allow '{profile}'")
    machine.shell("sudo ufw allow ssh")
    machine.shell("sudo ufw --force enable")

    assert call(machine, "GET", "/health").status == 200
    assert not opens(machine, CONTROL)
