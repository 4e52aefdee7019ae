"""A release over one that was killed, moved or left unfinished: what runs in the end."""

from __future__ import annotations

import fcntl
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from compose_double import Machine, World
from test_rollbacks import Killed, dies, released

from albert.deploy.release import release
from albert.domain.errors import DeploymentError


@contextmanager
def step_left_behind(machine: Machine, name: str) -> Iterator[None]:
    """Have a step go on there, as one of a deployment that was killed."""
    lock = machine.home / "albert/step.lock"
    lock.write_text(f"{name}\n")
    words = ["flock", str(lock), "sh", "-c", "echo held; cat"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            process.communicate()


def test_services_of_a_release_killed_before_its_end_are_stopped_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, "vm1 api-1 8001")
    released(world, "v1")
    world.planned("vm1 api-2 8002")
    second = world.version("v2")
    with monkeypatch.context() as patched:
        dies(patched, "approve", "vm1", Killed())
        with pytest.raises(Killed):
            release(world.sites, second)
    assert world.runs() == [{"api-1": "v1", "api-2": "v2"}]
    release(world.sites, second)
    assert world.runs() == [{"api-2": "v2"}]


def test_a_model_that_moves_runs_on_its_new_machine_only(tmp_path: Path) -> None:
    world = World(tmp_path, "vm1 llm-a 8000", "vm1 api-1 8001")
    released(world, "v1")
    world.planned("vm2 llm-a 8000", "vm1 api-1 8001")
    released(world, "v2")
    assert world.runs("vm1", "vm2") == [{"api-1": "v2"}, {"llm-a": "v2"}]


def test_a_model_that_is_ill_where_it_moves_serves_where_it_was(tmp_path: Path) -> None:
    world = World(tmp_path, "vm1 llm-a 8000", "vm3 api-1 8001")
    released(world, "v1")
    world.planned("vm2 llm-a 8000", "vm1 llm-b 8002", "vm3 api-1 8001")
    with pytest.raises(DeploymentError, match="Rien ne servait avant sur vm2"):
        release(world.sites, world.version("v2", sick="vm2"))
    assert world.runs("vm1", "vm2", "vm3") == [{"llm-a": "v1"}, {}, {"api-1": "v1"}]


def test_the_last_model_of_a_plan_is_stopped_where_it_was(tmp_path: Path) -> None:
    world = World(tmp_path, "vm1 llm-a 8000", "vm1 api-1 8001")
    released(world, "v1")
    world.planned("vm1 api-1 8001")
    release(world.sites, world.version("v2"), ("llm",))
    assert world.runs() == [{"api-1": "v1"}]
    assert "L'environnement n'a aucun service llm : rien n'a été lancé." in world.told


def test_the_same_release_again_is_said_to_serve_already(tmp_path: Path) -> None:
    world = World(tmp_path, "vm1 api-1 8001")
    first = world.version("v1")
    release(world.sites, first)
    assert world.told[-1] == f"La version {first.release} sert sur vm1."
    release(world.sites, first)
    assert f"La version {first.release} servait déjà sur vm1." in world.told[-1]
    assert "donnez-lui une autre --version" in world.told[-1]


def test_a_step_left_behind_is_told_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, "vm1 api-1 8001")
    released(world, "v1")
    monkeypatch.setattr("albert.deploy.sites.STEP", 0)
    with (
        step_left_behind(world.machines["vm1"], "v0 run setup"),
        pytest.raises(DeploymentError, match="vm1 : l'étape « v0 run setup »"),
    ):
        released(world, "v2")
    assert world.told[-1].startswith("vm1 : l'étape « v0 run setup »")
    assert (world.machines["vm1"].kept, world.serving("api")) == ({"v1"}, ["v1"])


def test_a_look_at_a_machine_is_no_step_for_another(tmp_path: Path) -> None:
    world = World(tmp_path, "vm1 api-1 8001")
    release(world.sites, world.version("v1"))
    with (world.machines["vm1"].home / "albert/step.lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert world.sites.sites["vm1"].facts().step == ""


def test_a_port_that_an_ill_release_still_holds_is_ours(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        world = World(tmp_path, "vm1 api-1 8001")
        release(world.sites, world.version("v1"))
        world.planned(f"vm1 api-2 {port}")
        world.machines["vm1"].home.joinpath("albert/releases/v2-x").mkdir()
        (world.machines["vm1"].home / "albert/releases/v2-x/services.api").write_text(
            f"api-2:{port}\n"
        )
        release(world.sites, world.version("v3"))
        assert world.runs() == [{"api-2": "v3"}]
