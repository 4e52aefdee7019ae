"""Going back, on demand or because a release is ill: what each machine then runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from compose_double import World

from albert.deploy.preparation import prepare
from albert.deploy.release import release
from albert.deploy.rollback import rollback
from albert.deploy.site import Site
from albert.domain.errors import DeploymentError

PAIR = ("vm1 api-1 8001", "vm2 api-1 8001")


class Killed(BaseException):
    """The program that deploys dies here."""


def released(world: World, *versions: str) -> None:
    for version in versions:
        release(world.sites, world.version(version))


def dies(monkeypatch: pytest.MonkeyPatch, step: str, host: str, error: BaseException) -> None:
    """Have a step fail on a machine."""
    real = getattr(Site, step)

    def failing(site: Site, *words: str) -> object:
        if site.host.name == host:
            raise error
        return real(site, *words)

    monkeypatch.setattr(Site, step, failing)


def test_a_rollback_that_stops_half_way_says_what_each_machine_serves(tmp_path: Path) -> None:
    world = World(tmp_path, *PAIR, "vm3 api-1 8001")
    released(world, "v1", "v2")
    world.machines["vm2"].break_compose()
    with pytest.raises(DeploymentError) as told:
        rollback(world.sites)
    said = str(told.value)
    assert "no engine" in said
    for name in ("vm1 sert v1-", "vm2 devait y passer", "vm3 n'a pas changé (v2-"):
        assert name in said
    assert world.runs() == [{"api-1": "v1"}, {"api-1": "v2"}, {"api-1": "v2"}]


def test_run_again_it_finishes_what_it_had_begun(tmp_path: Path) -> None:
    world = World(tmp_path, *PAIR)
    released(world, "v1", "v2")
    world.machines["vm2"].break_compose()
    with pytest.raises(DeploymentError):
        rollback(world.sites)
    world.machines["vm2"].break_compose(broken=False)
    rollback(world.sites)
    assert world.runs() == [{"api-1": "v1"}, {"api-1": "v1"}]


@pytest.mark.parametrize("step", ["return_to", "switch", "compose", "approve", "drop"])
def test_killed_anywhere_it_is_finished_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world = World(tmp_path, *PAIR)
    released(world, "v0", "v1", "v2")
    with monkeypatch.context() as patched:
        dies(patched, step, "vm2", Killed())
        with pytest.raises(Killed):
            rollback(world.sites)
    if step == "drop":  # nothing is left to do: another one would go further back
        assert world.serving("api", "good") == ["v1", "v1"]
        return
    rollback(world.sites)
    assert world.runs() == [{"api-1": "v1"}, {"api-1": "v1"}]
    assert world.serving("api", "good") == ["v1", "v1"]


def test_after_a_release_that_was_killed_it_is_the_healthy_one_that_serves_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, *PAIR)
    released(world, "v1", "v2")
    with monkeypatch.context() as patched:
        dies(patched, "healthy", "vm1", Killed())
        with pytest.raises(Killed):
            released(world, "v3")
    rollback(world.sites)
    assert world.runs() == [{"api-1": "v2"}, {"api-1": "v2"}]


def test_a_release_that_could_not_give_way_can_be_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, *PAIR)
    released(world, "v0", "v1")
    with monkeypatch.context() as patched:
        dies(patched, "compose", "vm1", DeploymentError("no engine"))
        with pytest.raises(DeploymentError, match="vm1 n'a pas pu revenir à v1"):
            released(world, "v2")
    rollback(world.sites)
    assert world.runs() == [{"api-1": "v1"}, {"api-1": "v1"}]


def test_machines_that_were_not_approved_alike_give_way_to_one_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, *PAIR)
    released(world, "v1")
    with monkeypatch.context() as patched:
        dies(patched, "approve", "vm2", DeploymentError("no link"))
        with pytest.raises(DeploymentError, match="no link"):
            released(world, "v2")
    assert world.serving("api", "good") == ["v2", "v1"]
    with pytest.raises(DeploymentError, match="est revenu à la version v1-"):
        release(world.sites, world.version("v3", sick="vm1"))
    assert world.runs() == [{"api-1": "v1"}, {"api-1": "v1"}]


def test_a_release_that_is_ill_leaves_alone_the_machines_that_it_did_not_reach(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, "vm2 api-1 8001")
    released(world, "v1")
    world.planned(*PAIR)
    released(world, "v2")
    rollback(world.sites)  # vm1 never had v1
    assert world.runs("vm1", "vm2") == [{"api-1": "v2"}, {"api-1": "v1"}]
    with pytest.raises(DeploymentError, match="vm1 est revenu à la version v2-"):
        release(world.sites, world.version("v3", sick="vm1"))
    assert world.runs("vm1", "vm2") == [{"api-1": "v2"}, {"api-1": "v1"}]


def test_after_a_return_that_failed_the_healthy_release_is_still_known(tmp_path: Path) -> None:
    world = World(tmp_path, PAIR[0])
    released(world, "v1", "v2")
    (dead,) = (world.machines["vm1"].home / "albert/releases").glob("v1-*")
    (dead / "sick").touch()
    with pytest.raises(DeploymentError, match=r"Pour en rester à v2-.*--only api --to v2-"):
        rollback(world.sites)
    with pytest.raises(DeploymentError, match="vm1 est revenu à la version v2-"):
        release(world.sites, world.version("v3", sick="vm1"))
    assert world.runs() == [{"api-1": "v2"}]


def test_a_machine_where_nothing_serves_any_more_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    world = World(tmp_path, *PAIR)
    released(world, "v1", "v2")
    (world.machines["vm2"].home / "albert/current/api").unlink()
    assert world.sites.sites["vm2"].facts().good["api"] == ""


def test_a_machine_added_since_does_not_hinder_a_rollback(tmp_path: Path) -> None:
    world = World(tmp_path, PAIR[0])
    released(world, "v1")
    world.planned(*PAIR)
    released(world, "v2")
    rollback(world.sites)
    assert world.runs() == [{"api-1": "v1"}, {"api-1": "v2"}]
    assert any("vm2 n'a jamais servi la version v1-" in told for told in world.told)


def test_machines_of_another_part_may_be_down(tmp_path: Path) -> None:
    world = World(tmp_path, "gpu llm-a 8000", "vm1 api-1 8001")
    released(world, "v1", "v2")
    world.machines["gpu"].up = False
    rollback(world.sites, ("api",))
    assert world.runs("vm1") == [{"api-1": "v1"}]
    release(world.sites, world.version("v3"), ("api",))
    assert world.runs("vm1") == [{"api-1": "v3"}]
    assert any("gpu" in told and "hors d'atteinte" in told for told in world.told)


def test_a_machine_without_compose_is_told_before_any_goes_back(tmp_path: Path) -> None:
    world = World(tmp_path, *PAIR)
    released(world, "v1", "v2")
    world.compose.write_text("#!/bin/sh\necho no daemon >&2\nexit 1\n")
    with pytest.raises(DeploymentError, match="vm1 : Docker Compose n'y répond pas"):
        rollback(world.sites)
    assert world.serving("api") == ["v2", "v2"]


def test_versions_that_never_served_evict_none_that_did(tmp_path: Path) -> None:
    world = World(tmp_path, "vm1 api-1 8001")
    released(world, "v1")
    for number in range(7):
        prepare(world.sites, world.version(f"p{number}"), "api")
    released(world, "v2")
    assert world.machines["vm1"].kept == {"v1", "v2", "p2", "p3", "p4", "p5", "p6"}
    rollback(world.sites)
    assert world.runs() == [{"api-1": "v1"}]


def test_versions_of_a_part_evict_none_of_the_other(tmp_path: Path) -> None:
    world = World(tmp_path, "vm1 llm-a 8000", "vm1 api-1 8001")
    released(world, "v1", "v2")
    for number in range(3, 10):
        release(world.sites, world.version(f"v{number}"), ("api",))
    assert world.machines["vm1"].kept == {"v1", "v2", "v5", "v6", "v7", "v8", "v9"}
    rollback(world.sites, ("llm",))
    assert world.runs() == [{"api-1": "v9", "llm-a": "v1"}]
