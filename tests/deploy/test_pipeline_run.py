"""The jobs of one environment, run by gitlab-ci-local's shell executor against a real sshd.

Doubles stand for what cannot be had in a test: Outscale's cloud, the building of images, Docker on
the machine (a program that starts and stops processes), and the service that is tested at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from local_pipeline import ROOT, Project, project
from remote_machine import Access, Machine, access, free_port, key, machine

sys.path.insert(0, str(ROOT / "tests" / "integration"))
from outscale_double import Cloud, serving

ONE = "staging-dinum"
SECRET = "f3c1-un-secret-tire-au-sort-0123456789"  # noqa: S105 — of this test
DOCKER = """#!/bin/sh
echo "$(basename "$0") $*" >>{log}
for last; do :; done
case " $* " in
*" up "*)
  sleep 600 >/dev/null 2>&1 &
  echo $! >{folder}/"$last".pid ;;
*" exec "*)
  shift 4
  kill -0 "$(cat {folder}/"$1".pid)" ;;
esac
"""
ALBERT = """#!/bin/sh
if [ "$1 $2" = "deploy test" ]; then
  echo "$*" >>{log}
  echo '<testsuites/>' >report.xml
  exit "$TEST_STATUS"
fi
exec {albert} "$@"
"""


@dataclass(frozen=True)
class Staging:
    """An environment whose API is on one machine, and the clone whose pipeline deploys it."""

    clone: Project
    cloud: Cloud
    vm: Machine
    access: Access
    log: Path

    def variables(self, **more: object) -> dict[str, object]:
        env = "".join(f"{name}={value}\n" for name, value in self._env().items())
        files = {
            "ENV_FILE": b64encode(env.encode()).decode(),
            "SSH_PRIVATE_KEY": self.access.key.read_text().rstrip("\n"),
            "SSH_KNOWN_HOSTS": self.access.known_hosts.read_text(),
            "SSH_CONFIG": self.access.config.read_text(),
        }
        return {
            **{name: {"type": "file", "values": {ONE: text}} for name, text in files.items()},
            "BASE_URL": "https://staging.albert.example",
            "BASE_IMAGE": "debian:12-slim@sha256:0",
            "ENGINE": "true",
            "CI_REGISTRY": "registry.gitlab.example",
            "CI_REGISTRY_IMAGE": "registry.gitlab.example/etalab/albert",
            "CI_REGISTRY_USER": "ci",
            "CI_REGISTRY_PASSWORD": "jeton",
            "TEST_STATUS": "0",
            **more,
        }

    def _env(self) -> dict[str, str]:
        return {
            "ENV": ONE,
            "SECRET_KEY": SECRET,
            "FIRST_ADMIN_PASSWORD": "k7fqz-41xw-pn9v-tgb2",
            "POSTGRES_HOST": "db.albert.example",
            "POSTGRES_PASSWORD": "un-autre-secret-tire-au-sort",
            "API_HOSTS": "vm1",
            "API_PORTS": str(free_port()),
            "COMPOSE_PROGRAM": str(self.log.parent / "docker-compose"),
            "OSC_ACCESS_KEY": "AK",
            "OSC_SECRET_KEY": "SK",
            "OSC_GPU_ID": "fgpu-1",
            "OSC_VM_ID": "i-1",
            "OSC_ENDPOINT_API": self.cloud.address,
        }

    def run(self, **more: object) -> subprocess.CompletedProcess[str]:
        """Run all that the last job waits for, as if somebody had pressed the manual ones.

        One job at a time: gitlab-ci-local knows no resource_group.
        """
        self.clone.set(self.variables(**more))
        manual = [f"{ONE} {part} deploy" for part in ("llm", "api")]
        pressed = [word for job in manual for word in ("--manual", job)]
        return self.clone.run("--concurrency", "1", "--needs", f"{ONE} unlink gpu", *pressed)

    def logged(self, sign: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if sign in line]


@contextmanager
def deployed_from(tmp_path: Path) -> Iterator[Staging]:
    clone = project(tmp_path / "clone", "staging")
    folder = tmp_path / "programs"
    folder.mkdir()
    log = folder / "log"
    log.touch()
    double = DOCKER.format(log=log, folder=folder)
    albert = ALBERT.format(log=log, albert=ROOT / ".venv/bin/albert")
    for path, text in (
        (folder / "docker-compose", double),
        (folder / "docker", double),
        (clone.folder / ".venv/bin/albert", albert),
        (
            clone.folder / ".venv/bin/albert",
            ALBERT.format(log=log, albert=ROOT / ".venv/bin/albert"),
        ),
        (clone.folder / "utils/build_images.sh", f'echo "build $*" >>{log}\n'),
    ):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    private = key(tmp_path / "key")
    public = private.with_suffix(".pub")
    with (
        machine(tmp_path / "vm1", "vm1", public, os.environ["PATH"]) as vm,
        serving(Cloud()) as cloud,
    ):
        yield Staging(clone, cloud, vm, access(tmp_path, private, [vm]), log)
    for pid in folder.glob("*.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), 15)


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with deployed_from(tmp_path) as made:
        yield made


Run = tuple[Staging, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A whole run, all of whose jobs pass."""
    with deployed_from(tmp_path_factory.mktemp("passed")) as staging:
        yield staging, staging.run()


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A whole run, in which the service that was deployed fails its tests."""
    with deployed_from(tmp_path_factory.mktemp("failed")) as staging:
        yield staging, staging.run(TEST_STATUS="1")


def test_every_job_of_an_environment_runs(passed: Run) -> None:
    staging, done = passed
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted(line.split("--push ")[1] for line in staging.logged("build "))
    assert built == ["api", "embeddings llm"]
    assert staging.logged("run --rm --no-deps setup")
    assert str(staging.vm.serving("api")).startswith(staging.clone.version())
    assert staging.logged("deploy test https://staging.albert.example")


def test_the_card_is_there_while_they_run_and_given_back(passed: Run) -> None:
    staging, _ = passed
    assert "LinkFlexibleGpu" in staging.cloud.changes
    assert staging.cloud.card == "allocated"


def test_the_card_is_given_back_when_the_tests_of_the_api_fail(failed: Run) -> None:
    staging, done = failed
    assert done.returncode != 0
    assert "LinkFlexibleGpu" in staging.cloud.changes
    assert staging.cloud.card == "allocated"


def test_no_secret_is_in_what_jobs_print_or_leave(failed: Run) -> None:
    staging, done = failed
    left = [path for path in staging.clone.folder.rglob("*") if path.is_file()]
    assert SECRET not in done.stdout + done.stderr
    assert not [path for path in left if SECRET.encode() in path.read_bytes()]


def test_nothing_is_sent_when_the_images_cannot_be_built(staging: Staging) -> None:
    done = staging.run(BASE_IMAGE="")
    assert done.returncode != 0
    assert "BASE_IMAGE manque" in done.stdout + done.stderr
    assert staging.vm.releases() == set()


def test_a_variable_that_is_not_a_file_is_told(staging: Staging) -> None:
    done = staging.run(ENV_FILE="ENV=staging-dinum")
    assert "ENV_FILE doit être une variable GitLab de type « File »" in done.stdout + done.stderr
    assert staging.cloud.asked == []
