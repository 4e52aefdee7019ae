"""Machines that are not reached, or not fit: one sentence each, and nothing changes on any."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from remote_machine import Access, Machine, access, free_port, key, machine

from albert.deploy.site import Site
from albert.deploy.ssh import Ssh, SshHost
from albert.domain.errors import DeploymentError, HostUnreachable

ROOT = Path(__file__).parents[2]
ALBERT = ROOT / ".venv/bin/albert"
COMPOSE = """services:
  api-{port}:
    image: localhost/none:1
    healthcheck: {{test: ["CMD", "true"]}}
"""


@dataclass(frozen=True)
class Pair:
    """An environment of two machines: what fails on the second must spare the first."""

    folder: Path
    machines: list[Machine]
    access: Access
    port: int

    def release(self, **more: str) -> subprocess.CompletedProcess[str]:
        return self.albert("release", "--bundle", "rendered", **more)

    def albert(self, verb: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ALBERT, "deploy", verb, "essai-staging", *words],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)}
            | self.access.variables()
            | more,
            capture_output=True,
            text=True,
        )

    def set(self, **values: str) -> None:
        said = {
            "API_HOSTS": "vm1,vm2",
            "API_PORTS": str(self.port),
            "COMPOSE_PROGRAM": "true",
        } | values
        text = "".join(f"{name}={value}\n" for name, value in said.items())
        (self.folder / "environments/essai-staging.env").write_text(text)

    def host(self, patience: float = 60) -> SshHost:
        """The first machine, as the program reaches it."""
        reach = self.access
        return SshHost("vm1", Ssh("", reach.key, reach.known_hosts, reach.config), patience)

    def refused(self, sentence: str, **more: str) -> None:
        """The release says this in one sentence, and has left no release anywhere."""
        done = self.release(**more)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
        assert [one.releases() for one in self.machines] == [set(), set()]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    private = key(tmp_path / "key")
    public = private.with_suffix(".pub")
    port = free_port()
    for name in ("vm1", "vm2"):
        (tmp_path / "rendered" / name).mkdir(parents=True)
        (tmp_path / "rendered" / name / "compose.yml").write_text(COMPOSE.format(port=port))
    (tmp_path / "environments").mkdir()
    path = os.environ["PATH"]
    with (
        machine(tmp_path / "vm1", "vm1", public, path) as one,
        machine(tmp_path / "vm2", "vm2", public, path) as two,
    ):
        made = Pair(tmp_path, [one, two], access(tmp_path, private, [one, two]), port)
        made.set()
        yield made


def test_another_host_key_than_the_pinned_one_is_refused(pair: Pair) -> None:
    first, second = (one.known for one in pair.machines)
    pair.access.known_hosts.write_text(first + first.replace("vm1", "vm2"))
    assert first != second
    pair.refused("« vm2 » est hors d'atteinte : sa clef d'hôte n'est pas celle qui est épinglée")


def test_a_host_whose_key_is_not_pinned_is_refused(pair: Pair) -> None:
    pair.access.known_hosts.write_text(pair.machines[0].known)
    pair.refused("« vm2 » est hors d'atteinte : sa clef d'hôte n'est pas connue")


def test_a_key_of_somebody_else_is_refused(pair: Pair) -> None:
    other = key(pair.folder / "other")
    pair.refused(
        "« vm1 » est hors d'atteinte : notre clef y est refusée", SSH_PRIVATE_KEY=str(other)
    )


def test_a_key_that_others_can_read_is_refused(pair: Pair) -> None:
    pair.access.key.chmod(0o644)
    pair.refused("« chmod 600 » ce fichier")


def test_a_key_cut_short_is_refused(pair: Pair) -> None:
    pair.access.key.write_text(pair.access.key.read_text().rstrip("\n")[:-40])
    pair.refused("la clef SSH_PRIVATE_KEY est illisible")


def test_a_key_that_is_not_there_is_refused(pair: Pair) -> None:
    pair.refused("SSH_PRIVATE_KEY : le fichier « nowhere » n'existe pas", SSH_PRIVATE_KEY="nowhere")


def test_a_machine_that_does_not_listen_is_told(pair: Pair) -> None:
    config = pair.access.config
    config.write_text(config.read_text().replace(str(pair.machines[1].port), str(free_port())))
    pair.refused("« vm2 » est hors d'atteinte : rien n'y écoute")
    told = pair.albert("releases")
    assert told.returncode == 1
    assert "vm1 api : aucune" in told.stdout
    assert "« vm2 » est hors d'atteinte" in told.stderr


def test_a_machine_without_compose_is_told(pair: Pair) -> None:
    pair.set(COMPOSE_PROGRAM="no-such-program")
    pair.refused("vm1 : Docker Compose n'y répond pas")


def test_a_port_that_another_program_has_is_told(pair: Pair) -> None:
    with socket.create_server(("127.0.0.1", pair.port)):
        pair.refused(f"vm1 : le port {pair.port}, que veut « api-{pair.port} », est pris")


def test_a_machine_of_another_environment_is_left_to_it(pair: Pair) -> None:
    folder = pair.machines[1].albert
    folder.mkdir()
    (folder / "environment").write_text("main-dinum\n")
    pair.refused("vm2 sert déjà l'environnement « main-dinum »")


def test_an_image_that_cannot_be_had_changes_nothing_that_runs(pair: Pair) -> None:
    programs = pair.folder / "programs"
    programs.mkdir()
    for name, status in (("engine-compose", 0), ("engine", 1)):
        (programs / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (programs / name).chmod(0o755)
    pair.set(COMPOSE_PROGRAM=str(programs / "engine-compose"))
    done = pair.release()
    assert done.returncode == 1
    assert "pull" in done.stderr
    assert [one.serving("api") for one in pair.machines] == [None, None]


def test_a_greeting_of_the_account_is_not_taken_for_an_answer(pair: Pair) -> None:
    (pair.machines[0].home / ".bashrc").write_text("printf 'busy: Bienvenue'\n")
    host = pair.host()
    with Site(host, "true").alone("v1"):
        assert host.run(["echo", "answer"]) == "answer\n"


def test_an_account_whose_shell_waits_is_told(pair: Pair) -> None:
    (pair.machines[0].home / ".bashrc").write_text("cat >/dev/null\n")
    with (
        pytest.raises(HostUnreachable, match="rien n'y répond en 1 secondes"),
        Site(pair.host(patience=1), "true").alone("v1"),
    ):
        pass


def test_a_command_that_ends_in_255_is_no_machine_out_of_reach(pair: Pair) -> None:
    with pytest.raises(DeploymentError, match=r"vm1 : .* a échoué \(254\) : permission denied"):
        pair.host().run(["sh", "-c", "echo permission denied >&2; exit 255"])


def test_a_deployment_whose_connection_was_cut_does_nothing_more(pair: Pair) -> None:
    first, second = pair.host(), pair.host()
    with first.held(["sh", "-c", "echo $PPID; exec cat"]) as shell:
        session = Path(f"/proc/{shell}/stat").read_text().rpartition(")")[2].split()[1]
        assert first.run(["echo", "held"]) == "held\n"
        os.kill(int(session), signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(HostUnreachable, match="le verrou avec elle"):
                first.run(["touch", "late"])
        assert second.run(["echo", "free"]) == "free\n"


def test_a_host_that_takes_one_session_a_connection_is_told(tmp_path: Path) -> None:
    private = key(tmp_path / "key")
    public = private.with_suffix(".pub")
    with machine(tmp_path / "vm1", "vm1", public, os.environ["PATH"], "MaxSessions 1") as one:
        reach = access(tmp_path, private, [one])
        host = SshHost("vm1", Ssh("", reach.key, reach.known_hosts, reach.config))
        with (
            host.held(["sh", "-c", "echo held; exec cat"]),
            pytest.raises(HostUnreachable, match="MaxSessions"),
        ):
            host.run(["true"])
