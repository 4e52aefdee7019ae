"""``albert doctor`` on a machine of several accounts: who examines is not who serves."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from examined import Check, found, free_port, levels

from albert.deploy.checks.disk import check_disk
from albert.deploy.checks.engines import check_engines
from albert.deploy.checks.env_file import check_env_file
from albert.deploy.checks.finding import Finding
from albert.deploy.checks.permissions import check_permissions
from albert.routing.table import RoutedModel

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

SERVES, EXAMINES, ADMINISTERS = 10001, 65534, 10002
MODEL = RoutedModel(name="m", driver="llama.cpp", hf_repo_id="a/m")


@contextmanager
def as_account(user: int) -> Iterator[None]:
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that all may enter, and no one but root may change."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


def kept(folder: Path, mode: int) -> Path:
    folder.mkdir(mode=0o700)
    folder.chmod(mode)
    os.chown(folder, SERVES, SERVES)
    return folder


def all_found(home: Path, **more: str) -> list[Finding]:
    values = {"ALBERT_HOME": str(home), "API_PORTS": str(free_port()), "HF_HUB_OFFLINE": "1"}
    checks: list[Check] = [check_disk, check_engines, check_permissions]
    return [one for check in checks for one in found(check, {**values, **more}, MODEL)]


def test_a_folder_that_is_closed_is_told_once_and_is_no_error(place: Path) -> None:
    home = kept(place / "home", 0o700)
    with as_account(EXAMINES):
        told = all_found(home, ALBERT_BACKUPS=str(home / "backups"))
    wrong = {one for one in told if one.level != "ok"}
    assert [(one.level, str(home) in one.said) for one in wrong] == [("warning", True)]
    assert {one.remedy for one in wrong} == {"Relancez « albert doctor » avec sudo."}


def test_a_folder_of_the_account_that_serves_is_judged_for_it(place: Path) -> None:
    """With Docker, models belong to the account of the images."""
    home, storage = kept(place / "home", 0o755), kept(place / "models", 0o755)
    values = {"ALBERT_HOME": str(home), "STORAGE_PATH": str(storage), "HF_HUB_OFFLINE": "1"}
    with as_account(EXAMINES):
        told = found(check_disk, values, MODEL)
    assert levels(told[:2]) == ["ok", "ok"]
    storage.chmod(0o555)
    with as_account(EXAMINES):
        told = found(check_disk, values, MODEL)
    assert levels(told[:2]) == ["ok", "error"]


def test_a_folder_that_systemd_will_make_is_in_order() -> None:
    home = Path("/var/lib/albert-absent")
    with as_account(EXAMINES):
        (finding,) = found(check_disk, {"ALBERT_HOME": str(home)})
    assert (finding.level, "systemd créera" in finding.said) == ("ok", True)


def test_a_folder_that_nobody_will_make_is_an_error(place: Path) -> None:
    with as_account(EXAMINES):
        (finding,) = found(check_disk, {"ALBERT_HOME": str(place / "absent")})
    assert finding.level == "error"


def test_a_secret_that_another_account_put_there_is_an_error(place: Path) -> None:
    home = kept(place / "home", 0o700)
    secrets = kept(home / "secrets", 0o700)
    (secrets / "api-key").touch(mode=0o600)
    os.chown(secrets / "api-key", EXAMINES, EXAMINES)
    (finding,) = found(check_permissions, {"ALBERT_HOME": str(home)})
    assert finding.level == "error"
    assert str(secrets / "api-key") in finding.said


def test_a_clone_may_be_an_administrators_and_its_variables_the_accounts_that_serves(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own virtual environment cannot change hands under a test: another stands for it."""
    venv, folder = place / "clone" / ".venv", place / "clone" / "environments"
    env_file = folder / "main.env"
    for one in (venv, folder):
        one.mkdir(parents=True)
    env_file.touch(mode=0o600)
    for one in (place / "clone", venv, folder):
        os.chown(one, ADMINISTERS, ADMINISTERS)
    os.chown(env_file, SERVES, SERVES)
    monkeypatch.setattr(sys, "prefix", str(venv))
    assert levels(check_env_file(env_file)) == ["ok"]
    os.chown(folder, EXAMINES, EXAMINES)
    assert levels(check_env_file(env_file)) == ["error"]
