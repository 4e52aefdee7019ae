"""A version goes to machines over a real OpenSSH server, and runs there in real containers."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from remote_machine import Access, Machine, access, free_port, key, machine
from tiny_containers import image, programs, remove, running

ROOT = Path(__file__).parents[2]
ALBERT = ROOT / ".venv/bin/albert"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Deployment:
    """An environment of one machine, ``vm1``, and who deploys to it."""

    folder: Path
    vm: Machine
    access: Access
    compose: Path
    image: str
    project: str
    ports: tuple[int, ...]
    model_port: int

    def render(
        self, table: str, *, root: str = "/www/api", slow: bool = False, model: str = ""
    ) -> None:
        """Write what « albert deploy render » writes: here, services that need no model.

        ``model`` is the name of one that is served too, and as well as ever.
        """
        folder = self.folder / "rendered" / self.vm.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.json").write_text(table)
        wait = "busybox sleep 5; " if slow else ""
        # silent when it fails, as the images' own is
        asked = "busybox wget -qO /dev/null http://127.0.0.1:{}/health/ready 2>/dev/null"
        probe = f'"/bin/busybox", "sh", "-c", "{asked}"'
        server = "busybox httpd -f -p 127.0.0.1:{} -h {}"
        asked_for = [(f"api-{port}", port, root) for port in self.ports]
        asked_for += [(f"llm-{model}", self.model_port, "/www/api")] if model else []
        services = "".join(
            f"  {name}:\n    image: {self.image}\n    network_mode: host\n"
            f"    stop_signal: SIGKILL\n    volumes: [./table.json:{root}/table.json:ro]\n"
            f'    healthcheck: {{test: ["CMD", {probe.format(port)}]}}\n'
            f'    command: ["/bin/busybox", "sh", "-c", "{wait}exec {server.format(port, root)}"]\n'
            for name, port, root in asked_for
        )
        replicas = [{"host": self.vm.name, "port": self.model_port}]
        entry = {"type": "text-generation", "driver": "llama.cpp", "hf_repo_id": "un/modele"}
        models = {model: {**entry, "replicas": replicas}} if model else {}
        (self.folder / "routing.json").write_text(json.dumps(models))
        (folder / "compose.yml").write_text(f"name: {self.project}\nservices:\n{services}")

    def albert(self, *words: str) -> list[str]:
        verb, *rest = words
        given = ["--bundle", "rendered"] if verb in ("release", "prepare") else []
        return [str(ALBERT), "deploy", verb, "essai-staging", *given, *rest]

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | (
            self.access.variables() | more
        )

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.albert(*words),
            cwd=self.folder,
            env=self.environment(**more),
            capture_output=True,
            text=True,
        )

    @contextmanager
    def going(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command, and kill it at the end as a machine that stops would."""
        process = subprocess.Popen(self.albert(*words), cwd=self.folder, env=self.environment())
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def switched(self, process: subprocess.Popen[bytes], before: str | None) -> None:
        """Wait until another release than ``before`` is in place, before it is seen healthy."""
        while self.vm.serving("api") == before:
            assert process.poll() is None
            time.sleep(0.02)

    def served(self, *ports: int) -> set[str]:
        """What the services answer: the table of the release that each was started from."""
        places = [f"http://127.0.0.1:{port}/table.json" for port in ports or self.ports]
        return {urllib.request.urlopen(place).read().decode() for place in places}  # noqa: S310


@pytest.fixture
def one(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    compose = programs(tmp_path / "programs")
    project = f"essai{uuid4().hex[:8]}"
    private = key(tmp_path / "key")
    ports = tuple(free_port() for _ in range(getattr(request, "param", 1)))
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/essai-staging.env").write_text(
        f"API_HOSTS=vm1\nAPI_PORTS={','.join(map(str, ports))}\nCOMPOSE_PROGRAM={compose}\n"
        f"ALBERT_ROUTING_TABLE={tmp_path}/routing.json\n"
    )
    with machine(tmp_path / "vm1", "vm1", private.with_suffix(".pub"), PATH) as vm:
        reach = access(tmp_path, private, [vm])
        yield Deployment(
            tmp_path, vm, reach, compose, image(compose, "1"), project, ports, free_port()
        )
        remove(compose, project)


@pytest.mark.parametrize("one", [2], indirect=True)
def test_a_release_serves_on_the_machine_and_says_so(one: Deployment) -> None:
    one.render("first")
    done = one.run("release", "--version", "v1")
    assert done.returncode == 0, done.stderr
    assert one.served() == {"first"}
    told = one.run("releases").stdout
    assert f"vm1 api : {one.vm.serving('api')} ; avant : aucune" in told
    assert str(one.vm.serving("api")).startswith("v1-")


def test_an_unhealthy_release_gives_way_to_the_one_before(one: Deployment) -> None:
    one.render("first")
    assert one.run("release", "--version", "v1").returncode == 0
    before = one.vm.serving("api")
    one.render("second", root="/www/sick")
    done = one.run("release", "--version", "v2", "--wait", "2")
    assert done.returncode == 1
    assert "ne va pas bien après 2 s (sa sonde échoue sans rien dire)" in done.stderr
    assert f"vm1 est revenu à la version {before}." in done.stderr
    assert one.vm.serving("api") == before
    assert one.served() == {"first"}


def test_a_renamed_model_has_the_port_and_the_card_of_the_one_before(one: Deployment) -> None:
    for name in ("before", "after"):
        one.render(f"table of {name}", model=name)
        done = one.run("release", "--version", name)
        assert done.returncode == 0, done.stderr
    assert one.served(one.model_port) == {"table of after"}
    assert not any("before" in name for name in running(one.compose, one.project))


def test_models_give_way_too_when_the_api_that_follows_them_is_ill(one: Deployment) -> None:
    one.render("first", model="before")
    assert one.run("release", "--version", "v1").returncode == 0
    one.render("second", model="after", root="/www/sick")
    done = one.run("release", "--version", "v2", "--wait", "3")
    assert done.returncode == 1
    assert one.served(*one.ports, one.model_port) == {"first"}
    assert one.vm.serving("llm") == one.vm.serving("api")
    assert not any("after" in name for name in running(one.compose, one.project))


def test_a_first_release_that_is_unhealthy_leaves_nothing_running(one: Deployment) -> None:
    one.render("first", root="/www/sick")
    done = one.run("release", "--version", "v1", "--wait", "1")
    assert done.returncode == 1
    assert "Rien ne servait avant sur vm1" in done.stderr
    assert (one.vm.serving("api"), running(one.compose, one.project)) == (None, set())


def test_a_rollback_serves_the_release_before_again(one: Deployment) -> None:
    for version in ("first", "second"):
        one.render(version)
        assert one.run("release", "--version", version).returncode == 0
    assert one.served() == {"second"}
    done = one.run("rollback")
    assert done.returncode == 0, done.stderr
    assert one.served() == {"first"}
    assert str(one.vm.serving("api")).startswith("first-")


def test_a_rollback_without_an_earlier_release_changes_nothing(one: Deployment) -> None:
    one.render("first")
    assert one.run("release", "--version", "v1").returncode == 0
    done = one.run("rollback")
    assert done.returncode == 1
    assert "pas de version antérieure" in done.stderr
    assert one.served() == {"first"}


def test_the_link_to_what_serves_is_never_missing(one: Deployment) -> None:
    one.render("first")
    assert one.run("release", "--version", "v1").returncode == 0
    one.render("second")
    link = one.vm.albert / "current" / "api"
    seen = set()
    with one.going("release", "--version", "v2") as process:
        while process.poll() is None:
            seen.add(link.readlink().name)
            time.sleep(0.002)
    assert {name.partition("-")[0] for name in seen} == {"v1", "v2"}
    assert seen <= one.vm.releases()


def test_a_killed_release_is_finished_by_the_next_run(one: Deployment) -> None:
    one.render("first")
    assert one.run("release", "--version", "v1").returncode == 0
    good = one.vm.serving("api")
    one.render("second", slow=True)
    with one.going("release", "--version", "v2") as process:
        one.switched(process, good)
    assert "(jamais vue saine)" in one.run("releases").stdout
    done = one.run("release", "--version", "v2")
    assert done.returncode == 0, done.stderr
    assert one.served() == {"second"}


def test_a_release_killed_then_found_unhealthy_gives_way_to_the_healthy_one(
    one: Deployment,
) -> None:
    one.render("first")
    assert one.run("release", "--version", "v1").returncode == 0
    good = one.vm.serving("api")
    one.render("second", root="/www/sick")
    with one.going("release", "--version", "v2") as process:
        one.switched(process, good)
    done = one.run("release", "--version", "v2", "--wait", "1")
    assert f"vm1 est revenu à la version {good}." in done.stderr
    assert one.served() == {"first"}


def test_of_two_releases_at_once_one_is_refused(one: Deployment) -> None:
    one.render("first", root="/www/sick")  # so the first is still waiting when the second comes
    with one.going("release", "--version", "v1") as process:
        one.switched(process, None)
        done = one.run("release", "--version", "v2")
        assert done.returncode == 1
        assert "un autre déploiement y est en cours (v1-" in done.stderr
        assert process.poll() is None


def test_only_the_last_releases_are_kept(one: Deployment) -> None:
    for number in range(7):
        one.render(f"number {number}")
        assert one.run("release", "--version", f"v{number}").returncode == 0
    kept = {name.partition("-")[0] for name in one.vm.releases()}
    assert kept == {"v2", "v3", "v4", "v5", "v6"}


def test_what_is_sent_is_read_by_its_owner_alone(one: Deployment) -> None:
    one.render("first")
    secret = one.folder / "rendered" / "vm1" / "env" / "api.env"
    secret.parent.mkdir()
    secret.touch(0o600)
    assert one.run("release", "--version", "v1").returncode == 0
    there = one.vm.albert / "releases" / str(one.vm.serving("api")) / "env" / "api.env"
    assert (one.vm.albert.stat().st_mode & 0o777, there.stat().st_mode & 0o777) == (0o700, 0o600)
    assert one.run("probe").returncode == 0


def test_a_service_that_fell_ill_since_is_told(one: Deployment) -> None:
    one.render("first")
    assert one.run("release", "--version", "v1").returncode == 0
    remove(one.compose, one.project)
    done = one.run("probe")
    assert done.returncode == 1
    assert f"vm1 : api-{one.ports[0]} ne va pas bien" in done.stderr
