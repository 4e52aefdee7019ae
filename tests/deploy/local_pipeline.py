"""The GitLab pipeline without GitLab: a copy of what its jobs read, run by gitlab-ci-local."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv/deploy"
RUNNER = TOOLS / "npm/node_modules/gitlab-ci-local/dist/index.js"


@dataclass(frozen=True)
class Project:
    """A clone at a commit of ``branch``."""

    folder: Path

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TOOLS / "bin/node", RUNNER, "--no-color", *words],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder.parent)},
            capture_output=True,
            text=True,
        )

    def jobs(self) -> dict[str, dict[str, Any]]:
        """The jobs that this branch has, by name."""
        told = self.ask("--list-json")
        assert told.returncode == 0, told.stderr
        listed = json.loads(told.stdout[told.stdout.index("[") :])
        return {job["name"]: job for job in listed if job["when"] != "never"}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.ask("--force-shell-executor", *words)

    def version(self) -> str:
        words = ["git", "rev-parse", "--short=8", "HEAD"]
        told = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=True)
        return told.stdout.strip()

    def set(self, variables: dict[str, object]) -> None:
        path = self.folder / ".gitlab-ci-local-variables.yml"
        path.write_text(yaml.safe_dump(variables))


def project(folder: Path, branch: str) -> Project:
    """Copy what jobs read but the sources: Albert is installed there as it is here."""
    folder.mkdir()
    for name in (".gitlab-ci.yml", "Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / ".gitlab", folder / ".gitlab")
    # « make install » finds the stamp of this folder, newer than what it depends on: nothing to do.
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/albert").symlink_to(ROOT / ".venv/bin/albert")
    (folder / ".venv/.installed").write_text(str(folder))
    author = ("-c", "user.name=Test", "-c", "user.email=test@albert.example")
    for words in (
        ("init", "--quiet", "--initial-branch", branch),
        ("remote", "add", "origin", "git@gitlab.example:etalab/albert.git"),
        ("add", "--force", ".gitlab-ci.yml", ".gitlab"),
        (*author, "commit", "--quiet", "--message", "Test"),
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return Project(folder)
