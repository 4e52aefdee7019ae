"""Machines that tests ask for: ``pytest_plugins = ("debian_fixtures",)``, then ``bare_root``,
``machine`` or ``spare``. Each is half a gigabyte, and goes when it is no longer of use.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import debian_roots
import pytest
from debian_roots import DebianRoot
from new_machine import LOCAL, init_vm


@pytest.fixture(scope="module")
def bare_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRoot]:
    """A machine as Debian makes it."""
    root = debian_roots.unpack(tmp_path_factory.mktemp("bare") / "root")
    yield root
    shutil.rmtree(root.path)


@pytest.fixture(scope="session")
def prepared(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[DebianRoot, str, str]]:
    """A machine that was prepared, with the plan that was announced and the one that was told."""
    root = debian_roots.unpack(tmp_path_factory.mktemp("prepared") / "root")
    planned = init_vm(root, *LOCAL, "--dry-run").stdout
    done = init_vm(root, *LOCAL)
    assert done.returncode == 0, done.stderr
    yield root, planned, done.stdout
    shutil.rmtree(root.path)


@pytest.fixture(scope="session")
def machine(prepared: tuple[DebianRoot, str, str]) -> DebianRoot:
    """The prepared machine, which tests only read."""
    return prepared[0]


@pytest.fixture
def spare(machine: DebianRoot, tmp_path: Path) -> Iterator[DebianRoot]:
    """The prepared machine, for a test that changes it: what changes is beside, and goes."""
    root, up, work = (tmp_path / name for name in ("root", "up", "work"))
    for folder in (root, up, work):
        folder.mkdir()
    over = f"lowerdir={machine.path},upperdir={up},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", over, root], check=True)
    try:
        yield DebianRoot(root)
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)
        shutil.rmtree(up)
