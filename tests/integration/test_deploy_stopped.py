"""A deployment that is told to stop, as a cancelled pipeline does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ENVIRONMENT = """API_HOSTS=localhost
POSTGRES_HOST=localhost
POSTGRES_PASSWORD=k3Vq9zT1mWx7
SECRET_KEY=9f2b7c1de8a04356b1f7e2d9c03a58467db1
FIRST_ADMIN_EMAIL=agent@exemple.gouv.fr
FIRST_ADMIN_PASSWORD=Zt8mQ4wY1rLc
"""


def test_a_command_that_is_told_to_stop_leaves_no_secret_behind(tmp_path: Path) -> None:
    compose, held, reached, rendered = (
        tmp_path / name for name in ("compose", "held", "reached", "tmp")
    )
    compose.write_text(f"#!/bin/sh\ntouch {reached}\nexec cat {held}\n")
    compose.chmod(0o755)
    os.mkfifo(held)
    rendered.mkdir()
    env_file = tmp_path / "essai.env"
    env_file.write_text(f"{ENVIRONMENT}COMPOSE_PROGRAM={compose}\n")
    words = ["-m", "albert", "deploy", "release", "essai-staging", "--env-file", str(env_file)]
    values = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(rendered)}
    with (
        held.open("r+b", buffering=0),
        subprocess.Popen([sys.executable, *words], env=values, stderr=subprocess.PIPE) as process,
    ):
        while not reached.exists():
            assert process.poll() is None
            time.sleep(0.02)
        assert list(rendered.rglob("*.env"))
        process.terminate()
        _, told = process.communicate()
    assert (process.returncode, told.decode()) == (143, "Interrompu.\n")
    assert list(rendered.iterdir()) == []
