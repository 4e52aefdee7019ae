"""What is sent to machines, and under which name."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from albert.deploy.bundle import bundle
from albert.deploy.plan import plan
from albert.deploy.ssh import Ssh, why
from albert.domain.errors import DeploymentError

PLAN = plan("essai", {"API_HOSTS": "vm1", "API_PORTS": "8090"})
COMPOSE = """services:
  api-8090:
    image: albert/api:1
    healthcheck: {test: ["CMD", "python3", "-c", "print('$$HOME')"]}
  setup: {image: albert/api:1}
"""


def rendered(folder: Path, text: str = COMPOSE) -> Path:
    (folder / "vm1").mkdir()
    (folder / "vm1/compose.yml").write_text(text)
    return folder


def test_the_same_content_has_the_same_name(tmp_path: Path) -> None:
    folder = rendered(tmp_path)
    assert bundle(PLAN, folder, "1.0").release == bundle(PLAN, folder, "1.0").release


@pytest.mark.parametrize("change", ["content", "rights", "version"])
def test_anything_that_differs_is_another_release(tmp_path: Path, change: str) -> None:
    folder = rendered(tmp_path)
    before = bundle(PLAN, folder, "1.0").release
    if change == "content":
        rendered_file = folder / "vm1/compose.yml"
        rendered_file.write_text(COMPOSE + "# changed\n")
    if change == "rights":
        (folder / "vm1/compose.yml").chmod(0o600)
    assert bundle(PLAN, folder, "1.1" if change == "version" else "1.0").release != before


@pytest.mark.parametrize("version", ["", "../x", "a b", "-rf", "x" * 65])
def test_a_version_that_names_no_folder_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(DeploymentError, match="n'est pas une version"):
        bundle(PLAN, rendered(tmp_path), version)


@pytest.mark.parametrize(
    "text", ["", "services: 3", "services:\n  api-8090: {image: albert/api:1}\n", "a: [b"]
)
def test_what_was_not_rendered_for_the_plan_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DeploymentError, match="albert deploy render"):
        bundle(PLAN, rendered(tmp_path, text), "1.0")


def test_a_machine_is_told_how_to_ask_each_container(tmp_path: Path) -> None:
    made = bundle(PLAN, rendered(tmp_path), "1.0")
    with made.of("vm1") as folder:
        words = shlex.split((folder / "probes/api-8090").read_text())
        assert words == ["python3", "-c", "print('$HOME')"]
        assert (folder / "services.api").read_text() == "api-8090:8090\n"


def test_a_task_that_prepares_brings_its_image(tmp_path: Path) -> None:
    made = bundle(PLAN, rendered(tmp_path), "1.0")
    assert (made.task("vm1", "api"), made.task("vm1", "llm")) == ("setup", None)
    assert made.images("vm1", ("api",)) == ["albert/api:1"]


def test_only_pinned_hosts_are_trusted_and_nothing_is_asked() -> None:
    words = Ssh("gitlab", Path("key"), Path("known")).words()
    options = {words[at + 1] for at, word in enumerate(words) if word == "-o"}
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=none"} <= options
    assert 'UserKnownHostsFile="known"' in options


def test_what_ssh_says_otherwise_is_told_as_it_is() -> None:
    assert str(why("vm1", "odd\nthing")) == "L'hôte « vm1 » est hors d'atteinte : odd thing."
