"""The whole way: a client, nginx, the gateway as installed, an engine; and back."""

import json
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest
from private_machine import PATIENCE, PrivateMachine
from proxy_site import DOMAIN, install_site, order, start_upstream

ENGINE, CONTROL = 9100, 9000


class Site:
    def __init__(self, machine: PrivateMachine, key: str) -> None:
        self.machine = machine
        self._key = key

    def stream(self) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection(self.machine.address, 80, timeout=PATIENCE)
        asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Oui ?"}]}
        bearer = {"Host": DOMAIN, "Authorization": f"Bearer {self._key}"}
        connection.request("POST", "/v1/chat/completions", json.dumps(asked), bearer)
        answer = connection.getresponse()
        assert answer.status == 200
        return connection, answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("whole")
    home, table = folder / "home", folder / "table.json"
    place = {"host": f"http://127.0.0.1:{ENGINE}/v1"}
    table.write_text(json.dumps({"m": {"driver": "openai", "replicas": [place]}}))
    with PrivateMachine(folder / "machine") as machine:
        start_upstream(machine, "engine", ENGINE, CONTROL)
        install_site(machine)
        machine.start(
            *(sys.executable, "-m", "albert", "serve", "gateway"),
            env={"ALBERT_HOME": str(home), "ALBERT_ROUTING_TABLE": str(table)},
        )
        machine.wait_for(8090)
        yield Site(machine, (home / "secrets" / "api-key").read_text().strip())


def next_text(stream: HTTPResponse) -> str:
    while not (line := stream.readline()).startswith(b"data: {"):
        assert line, "the stream has ended"
    text: str = json.loads(line[6:])["choices"][0]["delta"]["content"]
    return text


def test_what_the_engine_says_is_read_before_it_says_more(site: Site) -> None:
    connection, stream = site.stream()
    try:
        for number in range(3):
            assert next_text(stream) == f"engine {number}"
            order(site.machine, CONTROL, "POST", "/step")
        assert b"data: [DONE]" in stream.read()
    finally:
        connection.close()


def test_a_request_that_is_cancelled_is_cancelled_at_the_engine(site: Site) -> None:
    connection, stream = site.stream()
    assert next_text(stream) == "engine 0"
    stream.close()
    connection.close()

    order(site.machine, CONTROL, "GET", "/left")  # answers once the engine has seen it
