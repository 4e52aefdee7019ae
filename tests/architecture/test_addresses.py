"""What is written in the repository holds on every machine, and names no package registry."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = (".ci", "benchmarks", "docs", "src", "tests")
HERE = Path(__file__).name

REGISTRY = re.compile(
    r"registry[.]n[p]m|\bp[y]pi[.]org|python[h]osted|n[p]mmirror|y[a]rnpkg[.]com", re.IGNORECASE
)
OF_A_DEPLOYMENT = "opt/(?:albert|vllm|embedded_postgres)|home/gitlab"
"""Where a machine that we prepare, or an image, has what it runs: said to whoever deploys."""
MACHINE = re.compile(
    rf"(?<![\w.~}}/])/(?!(?:{OF_A_DEPLOYMENT})\b)(?:work|root|home|Users|opt|mnt)/\w"
)


def files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.name != ".git")
    for folder in OURS:
        for path in (ROOT / folder).rglob("*"):
            kept = path.is_file() and path.name != HERE
            if kept and not {".cache", "__pycache__"} & set(path.parts):
                yield path


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate(path.read_text("utf-8", "ignore").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_package_registry_is_named() -> None:
    assert not lines_with(REGISTRY)


def test_no_path_of_a_machine_is_written() -> None:
    assert not lines_with(MACHINE)
