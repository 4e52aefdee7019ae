"""``utils/build_images.sh``: what it refuses, and what it asks of Docker."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import pytest

from albert import __version__

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parents[2] / "utils" / "build_images.sh"
PINNED = "debian:12-slim@sha256:" + "a" * 64


def run(*words: str | Path, path: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *words],
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A folder for PATH whose ``docker`` writes what it is asked: no engine runs here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" END >> {tmp_path}/asked\n")
    program.chmod(0o755)
    return folder


def asked(docker: Path) -> list[list[str]]:
    text = (docker.parent / "asked").read_text("utf-8")
    return [call.strip().split("\n") for call in text.split("END\n") if call]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--base", PINNED], "quelles images"),
        (["api"], "il manque --base"),
        (["--base", PINNED, "llm-cuda"], "il manque --cuda-base"),
        (["--base", "debian:12-slim", "api"], "n'est pas figée"),
        (["--base", f"{PINNED}0", "api"], "n'est pas figée"),
        (["--base", PINNED, "apu"], "« apu » n'est pas une image"),
        (["--base"], "l'option --base veut une valeur"),
        (["--base", PINNED, "--engine", "podman", "api"], "--engine veut"),
        (["--base", PINNED, "--name", "Albert", "api"], "n'est pas un nom d'image"),
        (["--base", PINNED, "--tag", "a b", "api"], "n'est pas une étiquette"),
        (["--base", PINNED, "--push", "api"], "commence par un registre"),
        (["--base", PINNED, "--ca", "/absent.pem", "api"], "« /absent.pem » ne peut pas être lu"),
        (["--vite", "api"], "l'option --vite n'existe pas"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_built(
    docker: Path, words: list[str], told: str
) -> None:
    done = run(*words, path=str(docker))
    assert done.returncode == 2
    assert told in done.stderr
    assert "Usage" in done.stderr
    assert not (docker.parent / "asked").exists()


def test_docker_is_asked_for_each_image_then_to_publish_it(docker: Path, tmp_path: Path) -> None:
    pip = tmp_path / "pip.conf"
    pip.write_text("[global]\n")
    name = "registre.example:5000/groupe/albert"
    words = ("--base", PINNED, "--name", name, "--pip-conf", pip, "--push", "api", "embeddings")
    done = run(*words, path=str(docker))
    assert done.returncode == 0, done.stderr
    first, second, third, fourth = asked(docker)
    assert first[0] == third[0] == "build"
    pairs = list(itertools.pairwise(first))
    assert ("--target", "api") in pairs
    assert ("--build-arg", f"BASE={PINNED}") in pairs
    assert ("--secret", f"id=pip,src={pip}") in pairs
    assert ("--tag", f"{name}/api:{__version__}") in pairs
    assert "registre" not in " ".join(word for one, word in pairs if one == "--build-arg")
    assert second == ["push", f"{name}/api:{__version__}"]
    assert fourth == ["push", f"{name}/embeddings:{__version__}"]


def test_the_image_of_vllm_has_its_own_base_and_a_compiler(docker: Path) -> None:
    cuda = "ubuntu:24.04@sha256:" + "b" * 64
    done = run("--base", PINNED, "--cuda-base", cuda, "llm", "llm-cuda", path=str(docker))
    assert done.returncode == 0, done.stderr
    llm, vllm = asked(docker)
    assert f"BASE={PINNED}" in llm
    assert "PACKAGES=" in llm
    assert f"BASE={cuda}" in vllm
    assert "PACKAGES=gcc libc6-dev python3-dev" in vllm


def test_a_build_that_fails_says_which_image_and_publishes_nothing(docker: Path) -> None:
    (docker / "docker").write_text(f'#!/bin/sh\necho "$1" >> {docker.parent}/asked\nexit 1\n')
    words = ("--base", PINNED, "--name", "registre.example/albert", "--push", "api", "llm")
    done = run(*words, path=str(docker))
    assert done.returncode == 1
    assert "registre.example/albert/api" in done.stderr
    assert (docker.parent / "asked").read_text("utf-8") == "build\n"
