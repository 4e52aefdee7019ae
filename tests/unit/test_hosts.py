"""Programs of this machine, as a deployment runs them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from albert.deploy.hosts import LocalHost, run
from albert.domain.errors import DeploymentError, HostUnreachable

HOLDS = ["sh", "-c", "echo $$; exec cat"]
"""It says which process it is, then lasts."""


def test_a_folder_is_put_with_its_rights(tmp_path: Path) -> None:
    (tmp_path / "from/env").mkdir(parents=True)
    (tmp_path / "from/env/api.env").touch(0o600)
    LocalHost().put(tmp_path / "from", str(tmp_path / "a new/place"))
    assert (tmp_path / "a new/place/env/api.env").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_put_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeploymentError, match="a échoué"):
        LocalHost().put(tmp_path, str(tmp_path / "file/place"))


def test_a_full_disk_is_told_with_what_to_do() -> None:
    with pytest.raises(DeploymentError, match="disque est plein : libérez-y de la place"):
        run(["sh", "-c", "echo words | cat >/dev/full"])


def test_what_is_held_ends_when_we_go() -> None:
    with LocalHost().held(HOLDS) as line:
        assert Path(f"/proc/{line}").exists()
    assert not Path(f"/proc/{line}").exists()


def test_nothing_is_done_once_what_was_held_is_lost() -> None:
    host = LocalHost()
    with host.held(HOLDS) as line:
        assert host.run(["echo", "held"]) == "held\n"
        os.kill(int(line), signal.SIGKILL)
        os.waitid(os.P_PID, int(line), os.WEXITED | os.WNOWAIT)
        with pytest.raises(HostUnreachable, match="le verrou avec elle"):
            host.run(["echo", "lost"])
    assert host.run(["echo", "again"]) == "again\n"
