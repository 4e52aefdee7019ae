"""The pipeline: the guide's graph, as GitLab's schema allows it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from local_pipeline import ROOT, TOOLS, Project, project

ENVIRONMENTS = {
    "staging": ("staging-dinum", "staging-franceservices"),
    "main": ("main-dinum", "main-franceservices"),
}
# The guide's graph, written by hand: a job, its stage, when it runs, and what it waits for.
BRANCHES = [
    (f"{part} {step}", step, when, before)
    for part in ("llm", "api")
    for step, when, before in (
        ("build", "on_success", ["link gpu"]),
        ("setup", "on_success", [f"{part} build"]),
        ("deploy", "manual", [f"{part} setup"]),
        ("test", "always", [f"{part} deploy"]),
    )
]
CARD = [
    ("link gpu", "link", "on_success", []),
    ("unlink gpu", "unlink", "always", ["llm test", "api test"]),
]
GRAPH = {"staging": [*BRANCHES, *CARD], "main": BRANCHES}


@pytest.fixture(scope="module", params=["staging", "main"])
def branch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def clone(branch: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project(tmp_path_factory.mktemp("pipeline") / "clone", branch)


def test_each_environment_of_a_branch_has_the_graph_of_the_guide(
    clone: Project, branch: str
) -> None:
    expected = {}
    for one in ENVIRONMENTS[branch]:
        there = {name for name, *_ in GRAPH[branch]}
        for name, stage, when, before in GRAPH[branch]:
            needs = [f"{one} {other}" for other in before if other in there]
            expected[f"{one} {name}"] = (stage, when, needs)
    found = {
        name: (job["stage"], job["when"], [need["job"] for need in job["needs"]])
        for name, job in clone.jobs().items()
    }
    for _, _, needs in found.values():
        needs[:] = [need for need in needs if need in found]  # the card's is optional
    assert found == expected


def test_what_follows_a_manual_job_waits_for_it(clone: Project) -> None:
    manual = [job for job in clone.jobs().values() if job["when"] == "manual"]
    assert manual
    assert not [job["name"] for job in manual if job["allow_failure"]]


def test_the_whole_pipeline_fits_the_schema_of_gitlab(clone: Project, tmp_path: Path) -> None:
    whole = tmp_path / "whole.yml"
    whole.write_text(clone.ask("--preview").stdout)
    # An address may be a variable: GitLab's pages have « url: $DYNAMIC_ENVIRONMENT_URL ».
    formats = ["--disable-formats", "uri"]
    judge = [str(TOOLS / "bin/check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci", *formats]
    for path in (whole, ROOT / ".gitlab-ci.yml", ROOT / ".gitlab/check.yml"):
        told = subprocess.run([*judge, str(path)], capture_output=True, text=True)
        assert told.returncode == 0, told.stdout


def test_a_merge_request_is_checked_and_deploys_nothing(clone: Project) -> None:
    words = ("--variable", "CI_PIPELINE_SOURCE=merge_request_event")
    told = clone.ask(*words, "--unset-variable", "CI_COMMIT_BRANCH", "--list-csv")
    names = [line.partition(";")[0] for line in told.stdout.splitlines()]
    assert "check" in names
    assert not [name for name in names if "deploy" in name]


def test_what_is_scheduled_only_gives_the_cards_back(clone: Project, branch: str) -> None:
    """A pipeline that is cancelled leaves its card attached: GitLab skips what follows."""
    told = clone.ask("--variable", "CI_PIPELINE_SOURCE=schedule", "--list-csv")
    jobs = told.stdout[told.stdout.index("name;stage") :].splitlines()[1:]
    cards = [f"{one} unlink gpu" for one in ENVIRONMENTS[branch] if branch == "staging"]
    assert [job.partition(";")[0] for job in jobs if job] == cards


@pytest.mark.parametrize("path", sorted((ROOT / ".gitlab").glob("*.sh")), ids=lambda p: p.name)
def test_its_scripts_are_shellcheck_clean(path: Path) -> None:
    told = subprocess.run(["shellcheck", "--shell=bash", path], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout
