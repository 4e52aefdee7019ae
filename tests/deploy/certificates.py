"""A certificate authority of the test's own: Debian's pebble, which asks for real proofs."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path

from private_machine import PrivateMachine
from proxy_site import DOMAIN

DIRECTORY = "https://localhost:14000/dir"


def start_authority(machine: PrivateMachine, folder: Path) -> Path:
    """Start pebble and the DNS that it asks, where our domain is the machine; return its root.

    It answers over TLS with a certificate of its own making, which clients must be told of.
    """
    cert, key = folder / "pebble.pem", folder / "pebble.key"
    machine.run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)),
        *("-addext", "subjectAltName=DNS:localhost,IP:" + machine.address),
    )
    config = {
        "pebble": {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": str(cert),
            "privateKey": str(key),
            "httpPort": 80,
            "tlsPort": 443,
        }
    }
    (folder / "pebble.json").write_text(json.dumps(config))
    machine.start(
        *("pebble-challtestsrv", "-defaultIPv4", machine.address, "-defaultIPv6", ""),
        *("-dns01", ":8053", "-http01", "", "-https01", "", "-tlsalpn01", ""),
    )
    machine.wait_for(8053)
    machine.start(
        *("pebble", "-config", str(folder / "pebble.json"), "-dnsserver", "127.0.0.1:8053"),
        env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
    )
    machine.wait_for(15000)
    return cert


def root_of(machine: PrivateMachine, authority: Path) -> str:
    """Return the certificate, in PEM, that all those of pebble descend from."""
    trusting = ssl.create_default_context(cafile=str(authority))
    address = f"https://{machine.address}:15000/roots/0"
    with urllib.request.urlopen(address, context=trusting, timeout=30) as answer:
        root: str = answer.read().decode()
    return root


def certbot(machine: PrivateMachine, authority: Path, *words: str) -> str:
    """Run certbot with what a test adds: whom to ask, and nobody to answer its questions."""
    asked = ("--server", DIRECTORY, "--non-interactive", "--agree-tos", "-m", f"admin@{DOMAIN}")
    done = machine.run(*("certbot", *words, *asked), env={"REQUESTS_CA_BUNDLE": str(authority)})
    return done.stdout + done.stderr
