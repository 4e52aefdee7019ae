"""Images go to a real registry with a password, as the pipeline's build job sends them there."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from containers import BASE, ROOT, Store
from remote_machine import free_port

pytest_plugins = ("built_images",)

ACCOUNT, PASSWORD = "gitlab-ci-token", "mot-de-passe-du-registre"
HASHED = "$2b$05$L5g4WGcETAVW8h0CffIKgOPFV9yS0HzBbsPmLIaZhJsOO7s/n09Yi"  # bcrypt of PASSWORD


@dataclass(frozen=True)
class Registry:
    """A registry on loopback, and the job that publishes to it."""

    folder: Path
    name: str  # host:port

    def publish(
        self, store: Store, *images: str, password: str = PASSWORD, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script of the build job."""
        given = {
            "BASE_IMAGE": BASE,
            "CI_REGISTRY": self.name,
            "CI_REGISTRY_IMAGE": f"{self.name}/etalab/albert",
            "CI_REGISTRY_USER": ACCOUNT,
            "CI_REGISTRY_PASSWORD": password,
            "ENGINE": "buildah",
            "VERSION": "essai",
            "HOME": str(self.folder),
            "SSL_CERT_FILE": str(self.folder / "cert.pem"),
        }
        return subprocess.run(
            ["bash", ".gitlab/build.sh", *images],
            cwd=ROOT,
            env={**store.environment, **given, **more},
            capture_output=True,
            text=True,
        )

    def tags(self, repository: str) -> list[str]:
        asked = urllib.request.Request(f"https://{self.name}/v2/{repository}/tags/list")
        said = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
        asked.add_header("Authorization", f"Basic {said}")
        trusting = ssl.create_default_context(cafile=str(self.folder / "cert.pem"))
        with urllib.request.urlopen(asked, context=trusting) as answer:  # noqa: S310
            return list(json.load(answer)["tags"])


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    port = free_port()
    (tmp_path / "htpasswd").write_text(f"{ACCOUNT}:{HASHED}\n")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-days", "2", "-subj", "/CN=essai", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", key, "-out", cert], check=True, capture_output=True)
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "images")}},
        "http": {
            "addr": f"127.0.0.1:{port}",
            "tls": {"certificate": str(cert), "key": str(key)},
        },
        "auth": {"htpasswd": {"realm": "essai", "path": str(tmp_path / "htpasswd")}},
    }
    (tmp_path / "config.yml").write_text(json.dumps(config))
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", tmp_path / "config.yml"], stdout=log, stderr=log
        )
    try:
        _listens(port, server)
        yield Registry(tmp_path, f"127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait()


def test_the_build_job_publishes_what_it_built(containers: Store, registry: Registry) -> None:
    done = registry.publish(containers, "api")
    assert done.returncode == 0, done.stderr[-2000:]
    assert registry.tags("etalab/albert/api") == ["essai"]


def test_a_registry_that_refuses_is_told_without_the_password(
    store: Store, registry: Registry
) -> None:
    wrong = PASSWORD[::-1]
    done = registry.publish(store, "api", password=wrong)
    assert done.returncode == 1
    assert "vérifiez CI_REGISTRY_USER et CI_REGISTRY_PASSWORD" in done.stderr
    assert wrong not in done.stdout + done.stderr
    assert not (registry.folder / "images").exists()


def test_the_session_of_the_runner_is_left_to_the_job_beside(
    containers: Store, registry: Registry
) -> None:
    session = registry.folder / "session.json"
    session.write_text('{"auths": {"registre.example": {"auth": "eDp5"}}}')
    before = session.read_text()
    temporary = registry.folder / "temporary"
    temporary.mkdir()
    done = registry.publish(
        containers, "api", REGISTRY_AUTH_FILE=str(session), TMPDIR=str(temporary)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert session.read_text() == before
    kept = [path for path in temporary.rglob("*") if path.is_file()]
    assert [path for path in kept if PASSWORD in path.read_text(errors="replace")] == []
    assert not list(temporary.rglob("auth.json"))


def _listens(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert server.poll() is None
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"port {port}")
