"""Which of the machines that a plan names is this one."""

import socket

import pytest

from albert.deploy.here import is_here, services_here
from albert.deploy.plan import plan
from albert.domain.errors import EnvironmentInvalid


@pytest.mark.parametrize(
    "host", ["", "localhost", "127.0.0.1", "127.8.8.8", "::1", socket.gethostname()]
)
def test_a_name_of_this_machine_leads_here(host: str) -> None:
    assert is_here(host)


@pytest.mark.parametrize("host", ["198.51.100.1", "2001:db8::1", "ailleurs.invalid", "0.0.0.0"])  # noqa: S104
def test_the_name_of_another_does_not(host: str) -> None:
    assert not is_here(host)


def test_a_plan_without_this_machine_names_those_that_it_has() -> None:
    elsewhere = plan("prod", {"API_HOSTS": "198.51.100.1,198.51.100.2"})
    with pytest.raises(
        EnvironmentInvalid, match=r"machines nommées : 198\.51\.100\.1, 198\.51\.100\.2"
    ):
        services_here(elsewhere)


def test_a_machine_may_be_told_which_it_is() -> None:
    elsewhere = plan("prod", {"API_HOSTS": "198.51.100.1,198.51.100.2", "API_PORTS": "9000"})
    assert [one.host for one in services_here(elsewhere, "198.51.100.2")] == ["198.51.100.2"]
