"""The images of Albert, built once for the run on a bare Debian 12.

A test module that wants them says ``pytest_plugins = ("built_images",)`` and asks for
``containers``; for the store that they are built in, with their base alone, for ``store``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import BASE, IMAGES, Store
from debian_roots import unpack


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a bare Debian 12 as ``BASE``."""
    folder = tmp_path_factory.mktemp("containers")
    folder.chmod(0o711)  # other users than root read what is mounted from it
    made = Store(folder)
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "{_driver(folder)}"\n'
        f'graphroot = "{folder}/images"\nrunroot = "{folder}/run"\n'
    )
    try:
        root = unpack(folder / "debian")
        working = made.buildah("from", "scratch").strip()
        made.buildah("add", "--quiet", working, root.path, "/")
        made.buildah("commit", "--quiet", "--rm", working, BASE)
        shutil.rmtree(root.path)
        yield made
    finally:
        _remove(folder)


@pytest.fixture(scope="session")
def containers(store: Store) -> Store:
    """The store, with the images of Albert that need no graphics card, built by our command."""
    done = store.build("--base", BASE, *IMAGES)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return store


def _driver(folder: Path) -> str:
    """Layers over one another where the kernel can, else a copy for each (five times the room)."""
    if chosen := os.environ.get("STORAGE_DRIVER"):
        return chosen
    layers = {name: folder / "try" / name for name in ("lower", "upper", "work", "merged")}
    for layer in layers.values():
        layer.mkdir(parents=True)
    options = f"lowerdir={layers['lower']},upperdir={layers['upper']},workdir={layers['work']}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(layers["merged"])]
    tried = subprocess.run(["unshare", "--mount", *mount], capture_output=True, check=False)
    return "overlay" if tried.returncode == 0 else "vfs"


def _remove(folder: Path) -> None:
    """Remove a store, and what is still mounted in it."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mounted in reversed(mounts):
        if mounted.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", mounted], check=True)
    shutil.rmtree(folder)
