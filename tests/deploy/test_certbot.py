"""TLS: certbot edits our site as the guide says, and what is served afterwards."""

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import certbot, root_of, start_authority
from private_machine import PATIENCE, PrivateMachine
from proxy_site import DOMAIN, SITE, call, install_site, order, start_upstream

CONTROL = 9000
HTTP2 = f"sudo sed -i -E 's/443 ssl( http2)?/443 ssl http2/' {SITE}"


@dataclass(frozen=True)
class Site:
    machine: PrivateMachine
    authority: Path
    root: Path
    """The certificate that a client must trust."""

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.root))

    def serial(self, *protocols: str) -> tuple[str, str | None]:
        """Connect, checking the whole chain; return the certificate's number and the protocol."""
        context = self.trusting
        context.set_alpn_protocols(list(protocols))
        with (
            socket.create_connection((self.machine.address, 443), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=DOMAIN) as secured,
        ):
            served = secured.getpeercert()
            assert served is not None
            return str(served["serialNumber"]), secured.selected_alpn_protocol()

    def curl(self, *words: str) -> str:
        return subprocess.run(
            [
                *("curl", "--silent", "--show-error", "--no-buffer", "--cacert", str(self.root)),
                *("--resolve", f"{DOMAIN}:443:{self.machine.address}", *words),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The guide's commands, up to the certificate."""
    folder = tmp_path_factory.mktemp("tls")
    with PrivateMachine(folder / "machine") as machine:
        start_upstream(machine, "first", 8090, CONTROL)
        install_site(machine)
        authority = start_authority(machine, folder)
        certbot(machine, authority, "--nginx", "-d", DOMAIN)
        machine.shell(HTTP2)
        machine.shell("nginx -s reload")
        root = folder / "root.pem"
        root.write_text(root_of(machine, authority))
        one = Site(machine, authority, root)
        wait_until(lambda: one.serial("h2", "http/1.1")[1] == "h2")
        yield one


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_certbot_wrote_the_certificate_into_the_site(site: Site) -> None:
    assert "managed by Certbot" in site.machine.read(SITE)


def test_the_certificate_is_the_authority_s_and_http2_is_spoken(site: Site) -> None:
    assert site.serial("h2", "http/1.1")[1] == "h2"
    assert (
        site.curl("--http2", "-o", "/dev/null", "-w", "%{http_version}", f"https://{DOMAIN}/x")
        == "2"
    )


def test_a_browser_that_comes_back_takes_its_session_up_again(site: Site, tmp_path: Path) -> None:
    """Sessions are the default server's: without them, each connection is made anew."""
    where = ("-tls1_2", "-connect", f"{site.machine.address}:443", "-servername", DOMAIN)
    session = str(tmp_path / "session")
    for words, said in ((("-sess_out",), b"New, "), (("-sess_in",), b"Reused, ")):
        asked = ["openssl", "s_client", *where, *words, session]
        assert said in subprocess.run(asked, input=b"", capture_output=True, check=True).stdout


def test_http_leads_to_https(site: Site) -> None:
    moved = call(site.machine, "GET", "/docs?a=1")
    assert (moved.status, moved.names["location"]) == (301, f"https://{DOMAIN}/docs?a=1")
    assert "strict-transport-security" not in moved.names


def test_over_tls_the_browser_is_told_to_stay_there(site: Site) -> None:
    headers = site.curl("--head", f"https://{DOMAIN}/x").lower()
    assert "strict-transport-security: max-age=31536000\n" in headers
    assert "content-security-policy: default-src 'none';" in headers


def test_the_api_is_told_that_it_is_https(site: Site) -> None:
    assert '"x-forwarded-proto": ["https"]' in site.curl(f"https://{DOMAIN}/api/v2/x")


def test_nothing_of_what_is_asked_over_http_is_written_down(site: Site) -> None:
    """certbot leaves port 80 to a server of its own, which does not name our log."""
    asked = {"Referer": "http://x/?q=divorce1"}
    call(site.machine, "GET", "/api/v2/search?q=divorce2", headers=asked)
    call(site.machine, "DELETE", "/api/v2/user/token/albert-divorce3")
    site.curl(f"https://{DOMAIN}/seen-in-the-log?q=divorce4")

    end = time.monotonic() + PATIENCE
    logged = ""
    while "/seen-in-the-log" not in logged:
        assert time.monotonic() < end
        logged = site.machine.run("sh", "-c", "cat /var/log/nginx/*.log").stdout
    assert "divorce" not in logged


@pytest.mark.parametrize("name", [(), ("-servername", "evil.example")], ids=["no name", "another"])
def test_tls_is_not_spoken_under_another_name(site: Site, name: tuple[str, ...]) -> None:
    address = f"{site.machine.address}:443"
    words = ["openssl", "s_client", "-connect", address, *(name or ("-noservername",))]
    done = subprocess.run(words, input=b"", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"no peer certificate available" in done.stdout


def test_another_name_in_the_request_than_in_tls_has_no_answer(site: Site) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        site.curl("--http1.1", "--header", "Host: evil.example", f"https://{DOMAIN}/x")
    assert refused.value.returncode == 52  # an empty answer


@pytest.mark.parametrize(("version", "spoken"), [("-tls1_1", False), ("-tls1_2", True)])
def test_only_recent_versions_of_tls_are_spoken(site: Site, version: str, spoken: bool) -> None:
    where = ("-connect", f"{site.machine.address}:443", "-servername", DOMAIN)
    done = subprocess.run(
        ["openssl", "s_client", version, "-cipher", "DEFAULT@SECLEVEL=0", *where],
        input=b"",
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) == spoken
    assert (b"alert protocol version" in done.stderr) != spoken


def test_the_certificate_is_renewed_and_served_and_http2_stays(site: Site) -> None:
    before, _ = site.serial()
    certbot(site.machine, site.authority, "renew", "--force-renewal", "--no-random-sleep-on-renew")
    wait_until(lambda: site.serial()[0] != before)
    assert site.serial("h2")[1] == "h2"


def silent(site: Site, protocol: str, seconds: float) -> bytes:
    """Read a stream whose second event comes so many seconds after the first."""
    words = ("--request", "POST", "--data", "{}", f"https://{DOMAIN}/v1/chat/completions")
    timer = threading.Timer(seconds, step, [site])
    timer.start()
    return site.curl(protocol, *words).encode()


def step(site: Site) -> None:
    for _ in range(3):
        order(site.machine, CONTROL, "POST", "/step")


WHOLE = [b"first 0", b"first 1", b"first 2", b"[DONE]"]
"""What the upstream says, in order."""


def test_a_stream_may_be_silent_for_longer_than_nginx_waits_by_default(site: Site) -> None:
    said = silent(site, "--http2", 70)
    assert [one for one in WHOLE if one in said] == WHOLE


@pytest.mark.skipif("TEN_MINUTES" not in os.environ, reason="ten minutes: TEN_MINUTES=1 to run it")
@pytest.mark.parametrize("protocol", ["--http2", "--http1.1"])
def test_a_stream_may_be_silent_for_ten_minutes(site: Site, protocol: str) -> None:
    said = silent(site, protocol, 600)
    assert [one for one in WHOLE if one in said] == WHOLE
