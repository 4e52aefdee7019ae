"""A machine of a deployment: commands run there, and files put there."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from albert.domain.errors import DeploymentError, HostUnreachable

_SECONDS = 12 * 3600.0
"""For one command: the largest models take hours to come. A dead link is noticed by OpenSSH."""
_UNREACHABLE = 255
"""The exit status by which the OpenSSH client says that it, and not the command, failed."""


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

        The machine closes that input when we go, however we go.

        Raises:
            HostUnreachable, DeploymentError
        """
        ...


class LocalHost:
    """The machine that runs the command."""

    name = "localhost"

    def run(self, command: Sequence[str], *, given: str = "") -> str:
        return run(command, given=given)

    def put(self, folder: Path, place: str) -> None:
        shutil.copytree(folder, place, dirs_exist_ok=True)

    @contextmanager
    def held(self, command: Sequence[str]) -> Iterator[str]:
        process, line = _start(command)
        try:
            yield line
        finally:
            _stop(process)


@dataclass(frozen=True, slots=True)
class Ssh:
    """How machines are reached; what is not said is left to the OpenSSH client's configuration."""

    user: str = ""
    key: Path | None = None
    known_hosts: Path | None = None
    config: Path | None = None

    def words(self) -> list[str]:
        """Return the options of every call: nothing is asked, no unknown machine is trusted."""
        said = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": "15",
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "8",
            "ClearAllForwardings": "yes",
            "LogLevel": "ERROR",
        }
        if self.known_hosts:
            said |= {
                "UserKnownHostsFile": f'"{self.known_hosts}"',
                "GlobalKnownHostsFile": "none",
                "UpdateHostKeys": "no",
            }
        if self.key:
            said |= {"IdentitiesOnly": "yes", "IdentityAgent": "none"}
        words = [word for name, value in said.items() for word in ("-o", f"{name}={value}")]
        words += ["-F", str(self.config)] if self.config else []
        words += ["-i", str(self.key)] if self.key else []
        return words + (["-l", self.user] if self.user else [])


class SshHost:
    """A machine that OpenSSH reaches. While a command is held there, its connection is shared."""

    def __init__(self, name: str, ssh: Ssh) -> None:
        self.name = name
        self._ssh = ssh
        self._shared: str | None = None

    def run(self, command: Sequence[str], *, given: str = "") -> str:
        return self._run(command, given.encode())

    def put(self, folder: Path, place: str) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(folder, arcname=".", filter=_nobodys)
        unpack = 'mkdir -p "$1" && tar -C "$1" -xpf -'
        self._run(["sh", "-c", unpack, "put", place], packed.getvalue())

    @contextmanager
    def held(self, command: Sequence[str]) -> Iterator[str]:
        # A short path: a socket's may not be longer than a hundred characters.
        with tempfile.TemporaryDirectory(prefix="albert-ssh-", dir="/tmp") as folder:
            socket = f"{folder}/s"
            words = self._words(command, "-M", "-S", socket)
            try:
                process, line = _start(words, _UNREACHABLE)
            except HostUnreachable as error:
                raise HostUnreachable(why(self.name, str(error))) from None
            self._shared = socket
            try:
                yield line
            finally:
                self._shared = None
                _stop(process)

    def _words(self, command: Sequence[str], *more: str) -> list[str]:
        return ["ssh", *self._ssh.words(), *more, "--", self.name, shlex.join(command)]

    def _run(self, command: Sequence[str], given: bytes) -> str:
        shared = ("-S", self._shared) if self._shared else ()
        try:
            return _run(self._words(command, *shared), given, command, _UNREACHABLE)
        except HostUnreachable as error:
            raise HostUnreachable(why(self.name, str(error))) from None
        except DeploymentError as error:
            raise DeploymentError(f"{self.name} : {error}") from None


_REASONS = {
    "host identification has changed": "sa clef d'hôte n'est pas celle qui est épinglée. Si l'hôte "
    "a été refait, vérifiez sa nouvelle empreinte sur place et remplacez sa ligne dans "
    "SSH_KNOWN_HOSTS ; sinon, quelqu'un répond à sa place : ne déployez pas",
    "host key verification failed": "sa clef d'hôte n'est pas connue. Lisez-la (« ssh-keyscan "
    "{name} »), comparez-la à celle que montre l'hôte lui-même (« ssh-keygen -lf "
    "/etc/ssh/ssh_host_ed25519_key.pub »), puis ajoutez-la à SSH_KNOWN_HOSTS",
    "unprotected private key file": "d'autres peuvent lire le fichier de la clef SSH_PRIVATE_KEY, "
    "et OpenSSH le refuse : « chmod 600 » ce fichier",
    "error in libcrypto": "la clef SSH_PRIVATE_KEY est illisible : c'est une variable de type "
    "fichier, entière, sans phrase secrète, qui finit par un retour à la ligne",
    "permission denied": "notre clef y est refusée. Vérifiez SSH_PRIVATE_KEY, SSH_USER, et que sa "
    "clef publique (« ssh-keygen -yf CLEF ») est dans le fichier authorized_keys de ce compte",
    "could not resolve hostname": "ce nom n'est celui d'aucune machine : vérifiez-le",
    "connection refused": "rien n'y écoute : sshd y est-il démarré, sur ce port ?",
    "timed out": "pas de réponse : vérifiez l'adresse, le réseau et le pare-feu",
    "no route to host": "pas de chemin jusqu'à lui : vérifiez l'adresse et le réseau",
}
"""What to do, by what the OpenSSH client says; the first sign that is there decides."""


def why(name: str, said: str) -> str:
    """Return what to do about a machine that does not let us in, from what OpenSSH said."""
    low = " ".join(said.lower().split())
    for sign, sentence in _REASONS.items():
        if sign in low:
            return f"L'hôte « {name} » est hors d'atteinte : {sentence.format(name=name)}."
    return f"L'hôte « {name} » est hors d'atteinte : {' '.join(said.split())[-300:]}."


def run(command: Sequence[str], *, given: str = "", unreachable: int | None = None) -> str:
    """Run a program of this machine; ``unreachable`` is the exit status that says so (ssh: 255).

    Raises:
        DeploymentError, HostUnreachable
    """
    return _run(command, given.encode(), command, unreachable)


def _run(
    command: Sequence[str], given: bytes, told: Sequence[str], unreachable: int | None = None
) -> str:
    try:
        done = subprocess.run(  # noqa: S603 — words, no shell
            command, input=given, capture_output=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise _absent(command) from None
    except subprocess.TimeoutExpired:
        raise DeploymentError(
            f"« {shlex.join(told[:4])} » n'a pas fini en {_SECONDS:.0f} secondes."
        ) from None
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "replace")
    text = (done.stderr or done.stdout).decode("utf-8", "replace")
    if done.returncode == unreachable:
        raise HostUnreachable(text)
    last = " ".join(text.split())[-400:]
    raise DeploymentError(f"« {shlex.join(told[:4])} » a échoué ({done.returncode}) : {last}")


def _start(
    command: Sequence[str], unreachable: int | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a command that prints a line, then lasts until its standard input ends."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(  # noqa: S603 — words, no shell
            command, stdin=pipe, stdout=pipe, stderr=pipe
        )
    except FileNotFoundError:
        raise _absent(command) from None
    assert process.stdout is not None  # noqa: S101 — asked for above
    line = process.stdout.readline().decode("utf-8", "replace").strip()
    if line:
        return process, line
    _, error = process.communicate()
    text = error.decode("utf-8", "replace")
    kind = HostUnreachable if process.returncode == unreachable else DeploymentError
    raise kind(text or f"« {shlex.join(command[:3])} » n'a rien dit.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        process.communicate(timeout=10)  # it closes the standard input, for which the command waits
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _absent(command: Sequence[str]) -> DeploymentError:
    return DeploymentError(
        f"Le programme « {command[0]} » est introuvable : installez-le, puis recommencez."
    )


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a file without its owner: over there it is the account's that receives it."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
