"""The short way: Caddy with our file, and a certificate that it gets by itself."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import DIRECTORY, root_of, start_authority
from private_machine import PATIENCE, PrivateMachine
from proxy_site import DOMAIN, call, order, start_upstream

CONTROL = 9000
LIMIT = 1 << 20
FILE = "/etc/caddy/Caddyfile"


@dataclass(frozen=True)
class Site:
    machine: PrivateMachine
    root: Path

    def curl(self, path: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(path, *words), capture_output=True, text=True)

    def command(self, path: str, *words: str) -> list[str]:
        where = f"{DOMAIN}:443:{self.machine.address}"
        quiet = ("curl", "--silent", "--no-buffer", "--cacert", str(self.root), "--resolve", where)
        return [*quiet, *words, f"https://{DOMAIN}{path}"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("caddy")
    with PrivateMachine(folder / "machine") as machine:
        authority = start_authority(machine, folder)
        start_upstream(machine, "first", 8090, CONTROL)
        machine.shell(f"mkdir -p /etc/caddy && sudo cp ./contrib/caddy/Caddyfile {FILE}")
        ours = f"acme_ca {DIRECTORY}\nacme_ca_root {authority}\n"  # instead of Let's Encrypt
        machine.write(FILE, machine.read(FILE).replace("\n{\n", "\n{\n" + ours, 1))
        home = {"HOME": "/run", "XDG_DATA_HOME": "/run/caddy", "XDG_CONFIG_HOME": "/run/caddy"}
        machine.start("caddy", "run", "--config", FILE, env=home)
        machine.wait_for(443)
        root = folder / "root.pem"
        root.write_text(root_of(machine, authority))
        one = Site(machine, root)
        end = time.monotonic() + PATIENCE
        while one.curl("/health").returncode:
            assert time.monotonic() < end, "no certificate"
            time.sleep(0.1)
        yield one


def test_http_leads_to_https_and_http2_is_spoken(site: Site) -> None:
    moved = call(site.machine, "GET", "/docs")
    assert (moved.status, moved.names["location"]) == (308, f"https://{DOMAIN}/docs")
    assert site.curl("/x", "-o", "/dev/null", "-w", "%{http_version}").stdout == "2"


def test_an_event_is_read_before_the_next_one_is_written(site: Site) -> None:
    reading = subprocess.Popen(
        site.command("/v1/chat/completions", "--data", "{}"), stdout=subprocess.PIPE, text=True
    )
    with reading:
        assert reading.stdout is not None
        for number in range(3):
            assert f"first {number}" in reading.stdout.readline()
            reading.stdout.readline()
            order(site.machine, CONTROL, "POST", "/step")
        assert reading.stdout.readline() == "data: [DONE]\n"


def test_a_reader_who_leaves_is_known_to_the_api(site: Site) -> None:
    words = site.command("/v1/chat/completions", "--data", "{}")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as reading:
        assert reading.stdout is not None
        assert "first 0" in reading.stdout.readline()
        reading.kill()

    order(site.machine, CONTROL, "GET", "/left")


def test_what_a_client_says_of_its_own_address_does_not_pass(site: Site) -> None:
    spoofed = ("-H", "X-Forwarded-For: 198.51.100.1", "-H", "Forwarded: for=1.1.1.1")
    headers = json.loads(site.curl("/x", *spoofed).stdout)["headers"]
    assert headers["x-forwarded-for"] == [site.machine.client]
    assert headers["x-forwarded-proto"] == ["https"]
    assert "forwarded" not in headers


def test_the_answers_say_what_browsers_may_do(site: Site) -> None:
    said = site.curl("/x", "--head").stdout.lower()
    assert "strict-transport-security: max-age=31536000\n" in said
    assert "content-security-policy: default-src 'none';" in said
    assert "content-security-policy: frame-ancestors 'none'\n" in said
    assert "x-content-type-options: nosniff\n" in said


def test_a_page_keeps_its_own_policy_and_goes_in_no_frame(site: Site) -> None:
    said = site.curl("/page", "--head").stdout.lower()
    policies = [line for line in said.splitlines() if line.startswith("content-security-policy")]
    assert sorted(policies) == [
        "content-security-policy: frame-ancestors 'none'",
        "content-security-policy: style-src 'self'",
    ]


def test_a_redirection_stays_in_https(site: Site) -> None:
    assert "location: /api/v2/sign_in\n" in site.curl("/moved", "--head").stdout.lower()


def test_a_body_that_is_too_long_is_refused_and_the_longest_is_not(
    site: Site, tmp_path: Path
) -> None:
    told = ("-w", "\n%{http_code}", "-H", "Expect:")
    body = tmp_path / "body"
    body.write_bytes(b"x" * LIMIT)
    assert site.curl("/v1/x", *told, "--data-binary", f"@{body}").stdout.endswith("\n200")
    body.write_bytes(b"x" * (LIMIT + 1))
    refused, status = site.curl("/v1/x", *told, "--data-binary", f"@{body}").stdout.split("\n")
    assert (status, json.loads(refused)["error"]["code"]) == ("413", "request_too_large")
    refused = site.curl("/api/v2/x", "-H", "Expect:", "--data-binary", f"@{body}").stdout
    assert json.loads(refused)["code"] == "request_too_large"


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6Detrics", "/x/../metrics/"])
def test_metrics_are_not_for_the_world(site: Site, path: str) -> None:
    refused = site.curl(path, "--path-as-is", "-w", "\n%{http_code}").stdout
    assert refused.endswith("\n403")
    assert "metrics_private" in refused


def test_the_log_has_neither_questions_nor_tokens(site: Site) -> None:
    site.curl("/api/v2/search?q=divorce1", "-H", "Referer: http://x/?q=divorce3")
    site.curl("/api/v2/user/token/albert-divorce2", "--request", "DELETE")
    end = time.monotonic() + PATIENCE
    logged = ""
    while not all(path in logged for path in ('"/api/v2/search"', '"/api/v2/user/token/"')):
        assert time.monotonic() < end, logged
        logged = site.machine.read("/var/log/caddy/albert-access.log")

    assert site.machine.client in logged
    assert "divorce" not in logged


def test_where_the_api_is_down_its_words_are_kept(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("down")
    with PrivateMachine(folder / "machine") as alone:
        plain = (Path("contrib/caddy/Caddyfile").read_text()).replace(DOMAIN, "http://:80")
        alone.shell("mkdir -p /etc/caddy")
        alone.write(FILE, plain.replace("http://:80 par votre", f"{DOMAIN} par votre"))
        alone.start("caddy", "run", "--config", FILE, env={"HOME": "/run"})
        alone.wait_for(80)
        got = call(alone, "GET", "/api/v2/user/me?q=divorce")
        openai = call(alone, "POST", "/v1/chat/completions", b"{}")
        said = (folder / "machine-caddy.log").read_text()

    assert (got.status, got.json()["code"]) == (503, "service_unreachable")
    assert got.names["retry-after"] == "5"
    assert got.names["strict-transport-security"] == "max-age=31536000"
    assert got.names["x-content-type-options"] == "nosniff"
    assert got.names["x-frame-options"] == "DENY"
    assert "content-security-policy" in got.names
    assert "server" not in got.names
    assert openai.json()["error"] | {"message": ""} == {
        "message": "",
        "type": "server_error",
        "param": None,
        "code": "service_unreachable",
    }
    assert "divorce" not in said
