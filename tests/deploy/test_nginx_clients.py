"""Who nginx takes for one client: what its limits count, and whose address the API is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from private_machine import PrivateMachine
from proxy_site import DOMAIN, call, install_site, start_upstream

LIMIT = 31
"""Sign-ins that one client may try at once: thirty in advance, and the one of these two seconds."""
BALANCED = (
    r"s/^# (set_real_ip_from) 192.0.2.10;/\1 {client};/; s/^# (real_ip_(header|recursive) .*)/\1/"
)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[PrivateMachine]:
    """A machine where nginx is not started yet."""
    with PrivateMachine(tmp_path / "machine") as one:
        start_upstream(one, "first", 8090, 9000)
        yield one


def statuses(machine: PrivateMachine, count: int, said: str = "") -> list[int]:
    """Sign in so many times; where ``said`` is, it is whom a balancer says to speak for."""
    headers = {"X-Forwarded-For": said} if said else {}
    return [call(machine, "POST", "/api/v2/sign_in", b"{}", headers).status for _ in range(count)]


SIGN_INS = f"""
ip -6 addr add fd00:9::1/64 dev lo nodad
for number in {{1..40}}; do
    ip -6 addr add $(printf "$1" $number)/64 dev lo nodad
    curl --silent --output /dev/null --write-out '%{{http_code}}\\n' --header Host:{DOMAIN} \
        --interface $(printf "$1" $number) --data '{{}}' 'http://[fd00:9::1]/api/v2/sign_in'
done
"""


def by_ipv6(machine: PrivateMachine, addresses: str) -> list[str]:
    """Sign in forty times, each time from another of these addresses."""
    return machine.run("bash", "-euc", SIGN_INS, "sign-ins", addresses).stdout.split()


def test_who_takes_another_address_of_their_ipv6_network_is_the_same_client(
    machine: PrivateMachine,
) -> None:
    install_site(machine)
    told = by_ipv6(machine, "fd00:0:0:1:%d::1")
    assert told[:LIMIT] == ["200"] * LIMIT
    assert "429" in told


def test_each_ipv6_network_is_a_client(machine: PrivateMachine) -> None:
    install_site(machine)
    assert by_ipv6(machine, "fd00:1:0:%d::1") == ["200"] * 40


def test_an_exempt_address_is_not_counted(machine: PrivateMachine) -> None:
    install_site(machine, f"s/^    # 203.0.113.7 1;/    {machine.client} 1;/")
    assert statuses(machine, 40) == [200] * 40


def test_behind_a_balancer_each_client_has_their_own_limit(machine: PrivateMachine) -> None:
    install_site(machine, BALANCED.format(client=machine.client))

    assert statuses(machine, 40, "198.51.100.7")[-1] == 429
    assert statuses(machine, 1, "198.51.100.8") == [200]
    assert statuses(machine, 1, "198.51.100.9, 198.51.100.7") == [
        429
    ]  # the first is their own word
    told = call(machine, "GET", "/x", headers={"X-Forwarded-For": "198.51.100.8"}).json()
    assert told["headers"]["x-forwarded-for"] == ["198.51.100.8"]


def test_nobody_is_taken_for_a_balancer_who_is_not_named(machine: PrivateMachine) -> None:
    install_site(machine, BALANCED.format(client="192.0.2.10"))

    told = call(machine, "GET", "/x", headers={"X-Forwarded-For": "198.51.100.8"}).json()
    assert told["headers"]["x-forwarded-for"] == [machine.client]
