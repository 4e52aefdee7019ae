"""A machine of a deployment: commands run there, and files put there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from albert.domain.errors import DeploymentError, HostUnreachable

_SECONDS = 1800.0
"""For one command: images are pulled, models downloaded."""


class Host(Protocol):
    """Where services run. Commands are words, never a line for a shell to split."""

    @property
    def name(self) -> str: ...

    def run(self, command: Sequence[str], *, given: str = "") -> str:
        """Run a command to its end and return what it printed; ``given`` is its standard input.

        Raises:
            DeploymentError: it failed; the message has its last words.
            HostUnreachable
        """
        ...

    def put(self, folder: Path, place: str) -> None:
        """Copy what is in a folder to a folder of the machine, made if it is not there.

        Raises:
            DeploymentError, HostUnreachable
        """
        ...


class LocalHost:
    """The machine that runs the command."""

    name = "localhost"

    def run(self, command: Sequence[str], *, given: str = "") -> str:
        return run(command, given=given)

    def put(self, folder: Path, place: str) -> None:
        shutil.copytree(folder, place, dirs_exist_ok=True)


def run(command: Sequence[str], *, given: str = "", unreachable: int | None = None) -> str:
    """Run a program of this machine; ``unreachable`` is the exit status that says so (ssh: 255).

    Raises:
        DeploymentError, HostUnreachable
    """
    try:
        done = subprocess.run(  # noqa: S603 — words, no shell
            command, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise DeploymentError(
            f"Le programme « {command[0]} » est introuvable : installez-le, puis recommencez."
        ) from None
    except subprocess.TimeoutExpired:
        raise DeploymentError(
            f"« {shlex.join(command[:3])} » n'a pas fini en {_SECONDS:.0f} secondes."
        ) from None
    if done.returncode == 0:
        return done.stdout
    last = " ".join((done.stderr or done.stdout).split())[-400:]
    kind = HostUnreachable if done.returncode == unreachable else DeploymentError
    raise kind(f"« {shlex.join(command[:3])} » a échoué ({done.returncode}) : {last}")
