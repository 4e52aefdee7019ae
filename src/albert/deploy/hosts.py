"""A machine of a deployment: commands run there, and files put there."""

from __future__ import annotations

import io
import shlex
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Protocol

from albert.domain.errors import DeploymentError, HostUnreachable

_SECONDS = 12 * 3600.0
"""For one command: the largest models take hours to come. A dead link is noticed by OpenSSH."""
_PATIENCE = 60.0
"""Seconds left to a command that is to be held, to say its first line."""
UNPACK = ("sh", "-c", 'mkdir -p "$1" && tar -C "$1" -xpf -', "put")
"""And the folder: it receives the archive that is its standard input."""


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

    @contextmanager
    def held(self, command: Sequence[str]) -> Iterator[str]:
        """Keep a command running, its standard input open; give the first line that it prints.

        The machine closes that input when we go, however we go. Should the command end before,
        everything that is asked of this machine meanwhile is refused: what it held is lost.

        Raises:
            HostUnreachable, DeploymentError
        """
        ...


class LocalHost:
    """The machine that runs the command."""

    name = "localhost"
    _holder: Holder | None = None

    def run(self, command: Sequence[str], *, given: str = "") -> str:
        return self._run(command, given.encode())

    def put(self, folder: Path, place: str) -> None:
        self._run([*UNPACK, place], packed(folder))

    @contextmanager
    def held(self, command: Sequence[str]) -> Iterator[str]:
        self._holder = Holder(Program(tuple(command)))
        try:
            yield self._holder.line
        finally:
            self._holder.stop()
            self._holder = None

    def _run(self, command: Sequence[str], given: bytes) -> str:
        if self._holder and not self._holder.lives():
            raise lost(self.name)
        return Program(tuple(command)).run(given)


@dataclass(frozen=True, slots=True)
class Program:
    """A program of this machine, or by ``ssh`` one of another.

    ``told``: the words of it that a message shows. ``unreachable``: the exit status that says that
    the machine is. ``after``: the line that it prints before what is its own; what the account's
    own files print before (a greeting) is left out.
    """

    words: tuple[str, ...]
    told: tuple[str, ...] = ()
    unreachable: int | None = None
    after: str = ""

    def run(self, given: bytes = b"") -> str:
        """Run it to its end and return what it printed.

        Raises:
            DeploymentError, HostUnreachable
        """
        shown = shlex.join((self.told or self.words)[:4])
        try:
            done = subprocess.run(  # noqa: S603 — words, no shell
                self.words, input=given, capture_output=True, timeout=_SECONDS, check=False
            )
        except FileNotFoundError:
            raise self.absent() from None
        except subprocess.TimeoutExpired:
            raise DeploymentError(f"« {shown} » n'a pas fini en {_SECONDS:.0f} secondes.") from None
        printed = done.stdout.decode("utf-8", "replace")
        if self.after:
            printed = printed.rpartition(f"\n{self.after}\n")[2]
        if done.returncode == 0:
            return printed
        text = done.stderr.decode("utf-8", "replace") or printed
        if done.returncode == self.unreachable:
            raise HostUnreachable(text)
        if "No space left on device" in text:
            raise DeploymentError(_FULL)
        last = " ".join(text.split())[-400:]
        raise DeploymentError(f"« {shown} » a échoué ({done.returncode}) : {last}")

    def absent(self) -> DeploymentError:
        return DeploymentError(
            f"Le programme « {self.words[0]} » est introuvable : installez-le, puis recommencez."
        )


_FULL = (
    "Le disque est plein : libérez-y de la place (« docker image prune --all » retire les images "
    "inutiles), puis relancez la même commande."
)


class Holder:
    """A program that prints a line, then lasts until its standard input ends."""

    def __init__(self, program: Program, patience: float = _PATIENCE) -> None:
        """Start it and wait for its line, ``patience`` seconds at most.

        Raises:
            DeploymentError, HostUnreachable
        """
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(  # noqa: S603 — words, no shell
                program.words, stdin=pipe, stdout=pipe, stderr=pipe
            )
        except FileNotFoundError:
            raise program.absent() from None
        self.line = self._first(program.after, patience)
        if not self.line:
            raise self._silence(program, patience)

    def lives(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        try:
            self._process.communicate(timeout=10)  # it closes the standard input: it ends
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _first(self, after: str, patience: float) -> str:
        assert self._process.stdout is not None  # noqa: S101 — asked for above
        timer = Timer(patience, self._process.kill)
        timer.start()
        try:
            lines = (raw.decode("utf-8", "replace").strip() for raw in self._process.stdout)
            if after:
                any(line == after for line in lines)  # it takes them up to that one
            return next(lines, "")
        finally:
            timer.cancel()

    def _silence(self, program: Program, patience: float) -> DeploymentError:
        _, said = self._process.communicate()
        if self._process.returncode == -signal.SIGKILL:
            return HostUnreachable(_SILENT.format(seconds=patience))
        text = said.decode("utf-8", "replace")
        unreachable = self._process.returncode == program.unreachable
        kind = HostUnreachable if unreachable else DeploymentError
        return kind(text or f"« {shlex.join((program.told or program.words)[:3])} » n'a rien dit.")


_SILENT = (
    "la connexion est faite, mais rien n'y répond en {seconds:.0f} secondes ; le compte a-t-il un "
    "fichier de démarrage (.bashrc) qui attend"
)


def lost(name: str) -> HostUnreachable:
    """Return what to say of a machine where what we held, the lock, was lost."""
    return HostUnreachable(
        f"L'hôte « {name} » est hors d'atteinte : la connexion qui y tenait le verrou du "
        "déploiement est tombée, et le verrou avec elle. Vérifiez le réseau, puis relancez la même "
        "commande."
    )


def run(command: Sequence[str], *, given: str = "") -> str:
    """Run a program of this machine.

    Raises:
        DeploymentError
    """
    return Program(tuple(command)).run(given.encode())


def packed(folder: Path) -> bytes:
    """Return an archive of what is in a folder, for ``UNPACK``."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        opened.add(folder, arcname=".", filter=_nobodys)
    return archive.getvalue()


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a file without its owner: over there it is the account's that receives it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
