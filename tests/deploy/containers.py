"""Images built by buildah and run by podman, in a store of their own that goes with the tests.

Their network is a loopback, each its own: no port of this machine is taken, and nothing leaves.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BASE = "localhost/base:12"
IMAGES = ("llm", "api", "embeddings")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
MARK = "mandataire-et-mot-de-passe-de-l-index"
"""Written in each file that a build is given: it may be found in no image."""

# systemd, which would call the health checks on time, is not process 1 here: we call them.
PODMAN = ("podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--log-level", "fatal")
CONFINED = (
    *("--network", "none", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108 — the container's own
    *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
    *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"),
)

ASK = """
import http.client, json, sys
method, port, path, key, body = sys.argv[1:]
to = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
headers = {"Content-Type": "application/json"}
if key:
    headers["Authorization"] = "Bearer " + key
to.request(method, path, body or None, headers)
answer = to.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""


@dataclass(frozen=True)
class Running:
    """A container that runs."""

    store: Store
    name: str

    def ask(
        self, port: int, path: str, body: Mapping[str, object] | None = None, key: str = ""
    ) -> tuple[int, Any]:
        """Ask what listens in the container; no program of the image is needed but its Python."""
        method, said = ("GET", "") if body is None else ("POST", json.dumps(body))
        words = ("python3", "-Ic", ASK, method, str(port), path, key, said)
        status, text = json.loads(self.store.podman("exec", self.name, *words))
        return status, json.loads(text)

    def healthy(self) -> bool:
        """Run the health check of the image."""
        done = self.store.run_podman("healthcheck", "run", self.name)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0

    def wait_healthy(self) -> None:
        while not self.healthy():
            assert self.state() == "running", self.said()

    def state(self) -> str:
        return self.store.podman("inspect", "--format", "{{.State.Status}}", self.name).strip()

    def said(self) -> str:
        return self.store.run_podman("logs", self.name).stderr

    def terminate(self) -> int:
        """Ask it to stop as Docker does, and return its exit code."""
        self.store.podman("kill", "--signal", "TERM", self.name)
        return int(self.store.podman("wait", self.name))


@dataclass(frozen=True)
class Store:
    """Where the images and the containers of the tests are."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }

    def run_podman(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return self._run((*PODMAN, *words))

    def podman(self, *words: str | Path) -> str:
        """What podman prints; it must succeed."""
        return self._succeed((*PODMAN, *words))

    def buildah(self, *words: str | Path) -> str:
        return self._succeed(("buildah", *words))

    def build(self, *words: str | Path, clone: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """Run the command that builds images, reaching pip's and apt's indexes as we do."""
        given = [word for pair in given_to_builds(self.folder).items() for word in pair]
        script = clone / "utils" / "build_images.sh"
        return self._run(("bash", script, "--engine", "buildah", "--tag", "test", *given, *words))

    def once(self, image: str, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
        """Run a verb of an image to its end."""
        fixtures = f"{ROOT / 'tests' / 'fixtures'}:/fixtures:ro"
        mounted = ("-v", f"{home}:/var/lib/albert", "-v", fixtures)
        return self.run_podman("run", "--rm", *CONFINED, *mounted, image, *words)

    @contextmanager
    def running(
        self, image: str, *words: str, options: Sequence[str | Path] = ()
    ) -> Iterator[Running]:
        """Run an image's command, confined; whatever is left of it goes."""
        name = self.podman("run", "--detach", *CONFINED, *options, image, *words).strip()
        try:
            yield Running(self, name)
        finally:
            self.podman("rm", "--force", "--time", "0", name)

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """The files of an image."""
        yield Path(self.podman("image", "mount", image).strip())
        self.podman("image", "unmount", image)

    def _run(self, words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=False
        )

    def _succeed(self, words: Sequence[str | Path]) -> str:
        done = self._run(words)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout


def given_to_builds(folder: Path) -> dict[str, Path]:
    """Files for pip and apt to reach their indexes as this machine does, each with the mark."""
    asked = ["pip", "config", "get", "global.index-url"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    index = os.environ.get("PIP_INDEX_URL") or told.stdout.strip()
    pip = ["[global]", f"# {MARK}", *([f"index-url = {index}"] if index else [])]
    if AUTHORITIES.exists():
        pip.append("cert = /run/secrets/ca")
    files = {"--pip-conf": "\n".join(pip), "--apt-conf": f'Albert::Mark "{MARK}";'}
    found = {}
    for option, text in files.items():
        found[option] = folder / option.strip("-")
        found[option].write_text(text + "\n")
    return {**found, "--ca": AUTHORITIES} if AUTHORITIES.exists() else found
