"""Guessing through nginx: the API's log names who really asks, and fail2ban shuts them out."""

import json
import re
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from private_machine import PATIENCE, PrivateMachine
from proxy_site import DOMAIN, call, install_site, publish_below

LOG = "/var/log/albert/auth.log"
SPOOFED = "198.51.100.9"
GUIDE = """
sudo cp ./contrib/fail2ban/filter.d/albert.conf /etc/fail2ban/filter.d/
sudo cp ./contrib/fail2ban/action.d/albert.conf /etc/fail2ban/action.d/
sudo cp ./contrib/fail2ban/jail.d/albert.conf /etc/fail2ban/jail.d/
sudo cp ./contrib/logrotate/albert /etc/logrotate.d/albert
"""


@contextmanager
def whole(folder: Path, database: str, root_path: str = "") -> Iterator[PrivateMachine]:
    """Give a machine with the whole API, real accounts, and our files."""
    with PrivateMachine(folder) as one:
        one.shell("mkdir /var/log/albert")
        one.start(
            *(sys.executable, str(Path(__file__).with_name("proxy_api.py"))),
            *("8090", database),
            env={
                "ALBERT_AUTH_LOG": LOG,
                "ALBERT_TRUSTED_PROXIES": "127.0.0.1",
                "ALBERT_ROOT_PATH": root_path,
            },
        )
        one.wait_for(8090)
        install_site(one)
        one.shell(GUIDE)
        yield one


@pytest.fixture
def machine(tmp_path: Path, database_uri: str) -> Iterator[PrivateMachine]:
    with whole(tmp_path / "machine", database_uri) as one:
        yield one


def sign_in(machine: PrivateMachine, name: str, prefix: str = "", after: str = "") -> int:
    form = {"username": name, "password": "Mauvais-mot-2-passe"}
    headers = {"Content-Type": "application/json", "X-Forwarded-For": SPOOFED}
    body = json.dumps(form).encode()
    return call(machine, "POST", f"{prefix}/api/v2/sign_in{after}", body, headers).status


def guess_everything(machine: PrivateMachine) -> None:
    assert [sign_in(machine, "camille") for _ in range(6)] == [400] * 5 + [429]
    bad = {"Authorization": "Bearer albert-devine", "X-Forwarded-For": SPOOFED}
    assert call(machine, "GET", "/v1/models", headers=bad).status == 401


def events(machine: PrivateMachine) -> list[tuple[str, str]]:
    """What the log tells, of clients by IPv4."""
    lines = [line.split() for line in machine.read(LOG).splitlines()]
    return [(event, client) for _, event, client in lines]


def found_by(machine: PrivateMachine, kind: str) -> tuple[int, list[str]]:
    """Return how many lines fail2ban's own judge matches, and the addresses that it would ban."""
    rule = f"/etc/fail2ban/filter.d/albert.conf[events={kind}]"
    told = machine.run("fail2ban-regex", LOG, rule).stdout
    counted = re.search(r"(\d+) lines, \d+ ignored, (\d+) matched, (\d+) missed", told)
    assert counted is not None, told
    addresses = machine.run("fail2ban-regex", "--out=ip", LOG, rule).stdout.split()
    return int(counted[2]), sorted(set(addresses))


def test_the_log_names_who_really_asks_and_fail2ban_reads_it(machine: PrivateMachine) -> None:
    guess_everything(machine)

    client = f"client={machine.client}"
    refused, locked = ("sign_in_refused", client), ("sign_in_locked", client)
    assert events(machine) == [refused] * 5 + [locked] + [("token_refused", client)]
    assert found_by(machine, "sign_in") == (6, [machine.client])
    assert found_by(machine, "token") == (1, [machine.client])
    assert machine.run("stat", "-c", "%a", LOG).stdout == "640\n"


def test_fail2ban_shuts_out_who_guesses_and_nobody_else(machine: PrivateMachine) -> None:
    watch(machine)
    jails = machine.run("fail2ban-client", "status").stdout
    assert "albert, albert-token" in jails

    for number in range(20):
        sign_in(machine, f"personne{number}")
    wait_until(lambda: f"{machine.client} " in machine.run("nft", "list", "ruleset").stdout)
    assert banned(machine) == machine.client
    assert SPOOFED not in machine.run("nft", "list", "ruleset").stdout
    with pytest.raises(OSError, match=r"refused|timed out"):
        call(machine, "GET", "/health")


def watch(machine: PrivateMachine) -> None:
    """Start fail2ban, for which nobody is the machine itself."""
    machine.shell("sed -i 's/^ignoreself = .*/ignoreself = false/' /etc/fail2ban/jail.conf")
    machine.start("fail2ban-server", "-f", "-x", "start")
    wait_until(lambda: machine.run("fail2ban-client", "ping", check=False).returncode == 0)


HERE = "http://[fd00:9::1]"
GUESSES = f"""
ip -6 addr add fd00:9::1/64 dev lo nodad
body='{{"username":"camille","password":"Mauvais-mot-2-passe"}}'
for number in {{2..21}}; do
    ip -6 addr add fd00:1::$number/64 dev lo nodad
    curl --silent --interface fd00:1::$number -H Host:{DOMAIN} --json "$body" {HERE}/api/v2/sign_in
done
"""


def test_an_address_of_its_own_for_each_guess_shuts_out_the_network(
    machine: PrivateMachine,
) -> None:
    watch(machine)
    machine.shell(GUESSES)
    told = machine.read(LOG).splitlines()
    assert len(told) == 20
    assert told[0].endswith(" sign_in_refused client=fd00:1::2 network=fd00:1::/64")
    wait_until(lambda: "fd00:1::/64" in machine.run("nft", "list", "ruleset").stdout)
    assert banned(machine) == "fd00:1::/64"
    said = ("--header", f"Host: {DOMAIN}", f"{HERE}/health")
    another = ("curl", "--silent", "--interface", "fd00:1::2", *said)
    assert machine.run(*another, check=False).returncode == 7  # nobody lets it in
    machine.run("fail2ban-client", "set", "albert", "unbanip", "fd00:1::/64")
    assert machine.run(*another).returncode == 0


def banned(machine: PrivateMachine) -> str:
    return machine.run("fail2ban-client", "get", "albert", "banip").stdout.strip()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_line_feed_after_the_path_is_not_a_way_in(machine: PrivateMachine) -> None:
    assert sign_in(machine, "camille", after="%0A") == 404
    assert machine.read(LOG) == ""


def test_logrotate_moves_the_log_and_the_api_goes_on(machine: PrivateMachine) -> None:
    machine.shell("sed -i 's/albert adm/root adm/' /etc/logrotate.d/albert")  # no such account here
    sign_in(machine, "camille")
    machine.run("logrotate", "--force", "/etc/logrotate.d/albert")
    sign_in(machine, "camille")

    assert machine.run("stat", "-c", "%a %G", LOG).stdout == "640 adm\n"
    assert len(machine.read(LOG + ".1").splitlines()) == 1
    assert len(events(machine)) == 1


def test_the_documentation_keeps_its_style_behind_the_proxy(machine: PrivateMachine) -> None:
    page = call(machine, "GET", "/docs")
    policies = [value for name, value in page.headers if name.lower() == "content-security-policy"]
    style = re.search(rb"<style>(.*?)</style>", page.body, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1]).digest()).decode()

    assert page.status == 200
    assert [one for one in policies if "style-src" in one or "default-src" in one] == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    ]
    assert "frame-ancestors 'none'" in policies


def test_a_redirection_keeps_the_address_of_the_site(machine: PrivateMachine) -> None:
    moved = call(machine, "GET", "/docs/")
    assert (moved.status, moved.names["location"]) == (307, "http://mondomaine.com/docs")


def test_under_a_prefix_everything_is_as_it_was(tmp_path: Path, database_uri: str) -> None:
    with whole(tmp_path / "machine", database_uri, root_path="/albert") as machine:
        publish_below(machine)
        wait_until(lambda: call(machine, "GET", "/albert/docs").status == 200)

        assert call(machine, "GET", "/albert/v1/models").status == 401
        assert call(machine, "GET", "/albert/metrics").status == 403
        moved = call(machine, "GET", "/albert/docs/")
        assert moved.names["location"] == "http://mondomaine.com/albert/docs"
        assert sign_in(machine, "camille", "/albert") == 400
        assert events(machine) == [("sign_in_refused", f"client={machine.client}")]
