"""``albert deploy roll``, typed on a machine where it can do nothing: it says why, and does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from replicas import free_port
from service import ROOT, environment

pytestmark = pytest.mark.acceptance

PATIENCE = 60.0


def roll(folder: Path, restart: str) -> subprocess.Popen[str]:
    """Start the command, behind an nginx that accepts everything and workers that are all dead."""
    (folder / "test.env").write_text(f"API_PORTS={free_port()},{free_port()}\n")
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "albert", "deploy", "roll"),
            *("--env-file", str(folder / "test.env"), "--timeout", "1", "--settle", "0"),
            *("--upstream", str(folder / "upstream.conf"), "--reload", "true"),
            *("--restart", restart),
        ],
        env=environment(folder / "home"),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_without_the_file_of_nginx_nothing_restarts(tmp_path: Path) -> None:
    _, said = roll(tmp_path, f"touch {tmp_path}/restarted").communicate(timeout=PATIENCE)
    assert f"« {tmp_path}/upstream.conf », qui nomme à nginx les jeux" in said
    assert "n'existe pas" in said
    assert not (tmp_path / "restarted").exists()
    assert not (tmp_path / "upstream.conf").exists()


def test_a_second_one_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    (tmp_path / "upstream.conf").touch()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = roll(tmp_path, f"cat {gate}")
    with gate.open("w"):  # opened once the first one restarts a set, which lasts as long as this
        second = roll(tmp_path, f"touch {tmp_path}/restarted")
        _, said = second.communicate(timeout=PATIENCE)
    first.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    assert "Un autre « albert deploy roll » redémarre déjà ces jeux" in said
    third = roll(tmp_path, f"touch {tmp_path}/restarted")
    third.communicate(timeout=PATIENCE)
    assert (tmp_path / "restarted").exists()
