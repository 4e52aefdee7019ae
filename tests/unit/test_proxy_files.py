"""What the files of the proxies say must agree with what the API does."""

import re
from pathlib import Path

import uvicorn

from albert.asgi.exchange import BODY_LIMIT
from albert.deploy.variables import DEPLOYMENT

CONTRIB = Path(__file__).parents[2] / "contrib"
SITE = (CONTRIB / "nginx" / "albert.conf").read_text("utf-8")
UPSTREAM = (CONTRIB / "nginx" / "albert-upstream.conf").read_text("utf-8")
PROMETHEUS = (CONTRIB / "prometheus" / "albert.yml").read_text("utf-8")
CADDY = (CONTRIB / "caddy" / "Caddyfile").read_text("utf-8")
PORTS = next(one.default for one in DEPLOYMENT if one.name == "API_PORTS").split(",")


def seconds(name: str, text: str) -> int:
    found = re.search(rf"^\s*{name} (\d+)s;$", text, re.MULTILINE)
    assert found is not None, name
    return int(found[1])


def test_an_answer_may_be_silent_for_ten_minutes() -> None:
    for name in ("proxy_read_timeout", "proxy_send_timeout", "send_timeout"):
        assert seconds(name, SITE) >= 600


def test_the_proxies_take_the_bodies_that_the_api_reads_and_no_longer_ones() -> None:
    assert BODY_LIMIT == 1 << 20
    assert "client_max_body_size 1m;" in SITE
    assert "client_body_buffer_size 1m;" in SITE  # in memory: what is asked is not written to disk
    assert "max_size 1MiB" in CADDY
    assert f"dépasse {BODY_LIMIT} octets" in SITE
    assert f"dépasse {BODY_LIMIT} octets" in CADDY


def test_the_upstream_is_the_two_sets_of_workers_and_nothing_else() -> None:
    said = re.findall(r"server 127\.0\.0\.1:(\d+)( backup)?", UPSTREAM)
    assert said == [(port, "") for port in PORTS] + [(port, " backup") for port in PORTS]
    assert all(f"127.0.0.1:{port}" in CADDY for port in PORTS)


def test_prometheus_asks_each_set_which_counts_what_it_did_alone() -> None:
    assert re.findall(r'"127\.0\.0\.1:(\d+)"', PROMETHEUS) == PORTS


def test_a_connection_is_kept_for_less_long_than_the_api_keeps_it() -> None:
    kept = uvicorn.Config(app="").timeout_keep_alive
    assert seconds("keepalive_timeout", UPSTREAM) < kept
    assert "keepalive 4s" in CADDY
