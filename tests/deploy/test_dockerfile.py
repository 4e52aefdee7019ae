"""The recipe of the images and the command that follows it, judged without building them all."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from containers import BASE, ROOT, Store

pytest_plugins = ("built_images",)

DOCKERFILE = ROOT / "contrib" / "docker" / "Dockerfile"


def judged(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_recipe_of_the_images_is_clean() -> None:
    assert judged(ROOT / ".venv" / "deploy" / "bin" / "hadolint", DOCKERFILE) == ""


def test_the_command_that_builds_is_clean() -> None:
    assert judged("shellcheck", ROOT / "utils" / "build_images.sh") == ""


def test_the_image_of_vllm_builds_with_a_lighter_package_in_its_place(
    store: Store, tmp_path: Path
) -> None:
    """vLLM itself wants 5 GB and a graphics card: its steps run for real, but not its weight."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests", "build", "environments")
    shutil.copytree(ROOT, clone, ignore=ignored)
    shutil.copy(ROOT / ".dockerignore", clone)
    shutil.copy(clone / "requirements-llm.lock", clone / "requirements-vllm.lock")
    done = store.build("--cuda-base", BASE, "llm-cuda", clone=clone)
    assert done.returncode == 0, done.stderr[-4000:]
    image = "albert/llm-cuda:test"
    (said,) = json.loads(store.podman("image", "inspect", image))
    said_environment = dict(line.split("=", 1) for line in said["Config"]["Env"])
    assert said_environment["NVIDIA_VISIBLE_DEVICES"] == "all"
    with store.mounted(image) as files:
        python = files / said_environment["ALBERT_VLLM_PYTHON"].lstrip("/")
        assert python.is_symlink()
        assert list((files / "opt/vllm/lib").glob("python3*/site-packages/xllamacpp"))
        assert (files / "usr/bin/gcc").exists()  # vLLM compiles for the card that it finds
        bill = json.loads((files / "opt/albert/share/sbom.cdx.json").read_text())
    assert {"albert", "xllamacpp", "gcc"} <= {one["name"] for one in bill["components"]}


def test_what_a_build_is_given_is_what_an_image_is_made_of(tmp_path: Path) -> None:
    """A secret that lies in the clone is not even sent to what builds."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    copied = [
        word
        for line in DOCKERFILE.read_text("utf-8").splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for word in line.split()[1:-1]
    ]
    assert copied
    assert {f"!{word}" for word in copied} == {line for line in lines if line.startswith("!")}
