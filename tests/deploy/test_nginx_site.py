"""The site of nginx as the guide installs it, before a certificate: real nginx, port 80."""

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, RemoteDisconnected

import pytest
from private_machine import PATIENCE, PrivateMachine
from proxy_site import DOMAIN, Got, call, install_site, order, publish_below, start_upstream

CONTROL = 9000
OTHER_CONTROL = 9001
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMachine]:
    """A machine whose API is a mirror on the first of the two ports; nothing on the second."""
    with PrivateMachine(tmp_path_factory.mktemp("proxy") / "machine") as one:
        start_upstream(one, "first", 8090, CONTROL)
        install_site(one)
        yield one


def seen(got: Got) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = json.loads(got.body)["headers"]
    return headers


def open_stream(machine: PrivateMachine) -> tuple[HTTPConnection, HTTPResponse]:
    connection = HTTPConnection(machine.address, 80, timeout=PATIENCE)
    headers = {"Host": DOMAIN, "Accept-Encoding": "gzip"}  # as browsers do: events stay as they are
    connection.request("POST", "/v1/chat/completions", b"{}", headers)
    return connection, connection.getresponse()


def test_the_site_is_valid_without_a_certificate(machine: PrivateMachine) -> None:
    tested = machine.run("nginx", "-t")
    assert "test is successful" in tested.stderr
    assert "[warn]" not in tested.stderr


def test_what_a_client_says_of_its_own_address_does_not_pass(machine: PrivateMachine) -> None:
    spoofed = {"X-Forwarded-For": "198.51.100.1", "X-Real-IP": "::1", "Forwarded": "for=1.1.1.1"}
    headers = seen(call(machine, "GET", "/api/v2/x", headers=spoofed))

    assert headers["x-forwarded-for"] == [machine.client]
    assert headers["x-real-ip"] == [machine.client]
    assert "forwarded" not in headers
    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["host"] == [DOMAIN]


def test_the_name_of_a_request_passes_and_comes_back(machine: PrivateMachine) -> None:
    got = call(machine, "GET", "/health", headers={"X-Request-ID": "mon-appel.1"})
    assert seen(got)["x-request-id"] == ["mon-appel.1"]
    assert got.names["x-request-id"] == "mon-appel.1"


def test_a_name_of_another_form_is_replaced(machine: PrivateMachine) -> None:
    got = call(machine, "GET", "/health", headers={"X-Request-ID": "a b" * 99})
    assert len(got.names["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/api/v2/a", "/v1/a", "/api/v1/a", "/health", "/docs?q=%C3%A9+1"])
def test_addresses_reach_the_api_as_they_are(machine: PrivateMachine, path: str) -> None:
    assert call(machine, "GET", path).json()["path"] == path


def test_an_event_is_read_before_the_next_one_is_written(machine: PrivateMachine) -> None:
    connection, stream = open_stream(machine)
    try:
        for number in range(3):
            assert f"first {number}".encode() in stream.readline()
            stream.readline()
            order(machine, CONTROL, "POST", "/step")  # only now does the upstream write the next
        assert stream.readline() == b"data: [DONE]\n"
    finally:
        connection.close()


def test_a_reader_who_leaves_is_known_to_the_api(machine: PrivateMachine) -> None:
    connection, stream = open_stream(machine)
    assert b"first 0" in stream.readline()
    stream.close()
    connection.close()

    order(machine, CONTROL, "GET", "/left")  # answers once the upstream has seen it


def test_the_set_that_answers_takes_what_the_other_cannot(machine: PrivateMachine) -> None:
    answered = [call(machine, "POST", "/api/v2/x", b"{}") for _ in range(20)]
    assert {(got.status, got.json()["by"]) for got in answered} == {(200, "first")}


def test_a_post_that_was_sent_is_never_sent_again(machine: PrivateMachine) -> None:
    second = start_upstream(machine, "second", 8091, OTHER_CONTROL)
    try:
        before = counts(machine)
        statuses = [call(machine, "POST", "/api/v2/break_off", b"{}").status for _ in range(4)]
        assert statuses == [502] * 4
        assert sum(counts(machine)) - sum(before) == 4
    finally:
        second.kill()
        second.wait()


def test_a_set_that_is_frozen_is_left_aside_once_its_health_is_asked(
    machine: PrivateMachine,
) -> None:
    second = start_upstream(machine, "second", 8091, OTHER_CONTROL)
    written(machine)  # what it knows of both sets is forgotten
    start_again(machine)
    machine.run("kill", "-STOP", str(second.pid))
    try:
        assert {call(machine, "GET", "/health/live").json()["by"] for _ in range(2)} == {"first"}
        answered = [call(machine, "POST", "/api/v2/x", b"{}") for _ in range(8)]
        assert {(got.status, got.json()["by"]) for got in answered} == {(200, "first")}
    finally:
        second.kill()
        second.wait()


def test_what_breaks_both_sets_off_closes_neither(machine: PrivateMachine) -> None:
    for _ in range(3):
        assert call(machine, "POST", "/api/v2/break_off", b"{}").status == 502
    assert call(machine, "GET", "/api/v2/x").status == 200


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1"])
def test_who_asks_for_another_name_has_no_answer(machine: PrivateMachine, host: str) -> None:
    with pytest.raises(RemoteDisconnected):
        call(machine, "GET", "/health", headers={"Host": host})


def counts(machine: PrivateMachine) -> tuple[int, int]:
    one, two = (
        int(order(machine, control, "GET", "/count")) for control in (CONTROL, OTHER_CONTROL)
    )
    return one, two


def test_a_body_that_the_api_can_read_passes(machine: PrivateMachine) -> None:
    assert call(machine, "POST", "/v1/embeddings", b"x" * LIMIT).json()["size"] == LIMIT


def test_a_longer_body_is_refused_in_the_words_of_the_api(machine: PrivateMachine) -> None:
    ours = call(machine, "POST", "/api/v2/chat", b"x" * (LIMIT + 1))
    openai = call(machine, "POST", "/v1/embeddings", b"x" * (LIMIT + 1))

    sentence = f"La demande dépasse {LIMIT} octets : raccourcissez-la."
    assert (ours.status, openai.status) == (413, 413)
    assert ours.json() == {"detail": sentence, "code": "request_too_large"}
    assert openai.json() == {
        "error": {
            "message": sentence,
            "type": "invalid_request_error",
            "param": None,
            "code": "request_too_large",
        }
    }


@pytest.mark.parametrize(
    ("path", "passing"),
    [
        ("/api/v2/sign_in", 31),
        ("/api/v2/send_reset_password_email", 11),
        ("/api/v2/reset_password", 11),
        ("/api/v2/user/me", 21),
        ("/albert/api/v2/sign_in", 31),
    ],
)
def test_who_tries_too_often_must_wait(machine: PrivateMachine, path: str, passing: int) -> None:
    written(machine)  # what it counted is forgotten
    start_again(machine)
    answered = [call(machine, "POST", path, b"{}") for _ in range(passing + 5)]

    assert {got.status for got in answered[:passing]} == {200}
    refused = answered[-1]
    assert refused.status == 429
    assert refused.names["retry-after"] == "10"
    assert refused.names["content-type"] == "application/json"
    assert refused.json()["code"] == "attempts_exceeded"


def written(machine: PrivateMachine) -> str:
    """Stop nginx, so that all is written down, and return what is."""
    machine.run("bash", "-c", "nginx -s quit; while [ -e /run/nginx.pid ]; do sleep 0.05; done")
    return machine.run("sh", "-c", "cat /var/log/nginx/*.log").stdout


def start_again(machine: PrivateMachine) -> None:
    machine.run("nginx")
    machine.wait_for(80)


def test_reading_ones_account_is_not_counted(machine: PrivateMachine) -> None:
    assert {call(machine, "GET", "/api/v2/user/me").status for _ in range(40)} == {200}


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6Detrics", "/x/../metrics/"])
def test_metrics_are_not_for_the_world(machine: PrivateMachine, path: str) -> None:
    refused = call(machine, "GET", path)
    assert refused.status == 403
    assert refused.json()["code"] == "metrics_private"


def test_an_answer_without_a_policy_may_load_nothing(machine: PrivateMachine) -> None:
    got = call(machine, "GET", "/api/v2/x")
    assert got.names["content-security-policy"].startswith("default-src 'none';")
    assert got.names["x-content-type-options"] == "nosniff"
    assert got.names["x-frame-options"] == "DENY"
    assert got.names["referrer-policy"] == "no-referrer"


def test_without_tls_nothing_is_said_of_it(machine: PrivateMachine) -> None:
    assert "strict-transport-security" not in call(machine, "GET", "/health").names


def test_the_log_has_neither_questions_nor_tokens(machine: PrivateMachine) -> None:
    asked = {"Referer": "http://x/?q=divorce3", "User-Agent": "divorce4"}
    call(machine, "GET", "/api/v2/search?q=divorce1", headers=asked)
    call(machine, "DELETE", "/api/v2/user/token/albert-divorce2")
    call(machine, "POST", "/api/v2/chat?q=divorce5", b"x" * (LIMIT + 1))
    call(machine, "GET", "/seen-in-the-log")
    logged = written(machine)
    start_again(machine)

    assert "GET /seen-in-the-log" in logged
    assert "DELETE /api/v2/user/token/..." in logged
    assert machine.client in logged
    assert "divorce" not in logged


def test_where_the_api_is_down_its_words_are_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    with PrivateMachine(tmp_path_factory.mktemp("down") / "machine") as alone:
        install_site(alone)
        ours = call(alone, "GET", "/api/v2/user/me?q=divorce")
        openai = call(alone, "POST", "/v1/chat/completions", b"{}")
        logged = written(alone)

    assert (ours.status, ours.json()["code"]) == (502, "service_unreachable")
    assert ours.names["retry-after"] == "5"
    assert len(ours.names["x-request-id"]) == 32
    error = openai.json()["error"]
    assert isinstance(error, dict)
    assert (error["type"], error["code"]) == ("server_error", "service_unreachable")
    assert "/502, 502" in logged
    assert "divorce" not in logged


def test_under_a_prefix_the_api_is_asked_without_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with PrivateMachine(tmp_path_factory.mktemp("prefix") / "machine") as one:
        start_upstream(one, "first", 8090, CONTROL)
        install_site(one)
        publish_below(one)
        assert asked_below(one, "/albert/v1/mod%C3%A8les?a=%20b") == "/v1/mod%C3%A8les?a=%20b"
        assert call(one, "GET", "/v1/x").json()["path"] == "/v1/x"


def asked_below(machine: PrivateMachine, path: str) -> object:
    """Return what the API is asked, once nginx has read its new configuration."""
    end = time.monotonic() + PATIENCE
    while (asked := call(machine, "GET", path).json()["path"]) == path:
        assert time.monotonic() < end
    return asked
