"""Machines that the OpenSSH client reaches, and what to do about those that it does not."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from albert.deploy.hosts import UNPACK, Holder, Program, lost, packed
from albert.domain.errors import DeploymentError, HostUnreachable

_UNREACHABLE = 255
"""The exit status by which the OpenSSH client says that it, and not the command, failed."""
_BEGIN = "albert-commence"
_WRAP = (
    """printf '\\n%s\\n' "$0"; "$@"; status=$?; """
    "[ $status -ne 255 ] || status=254; exit $status"
)
"""A shell of the account runs our command: what its files print comes before ``_BEGIN``. And
a command that ends in 255 by itself is not a machine out of reach."""


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

    def __init__(self, name: str, ssh: Ssh, patience: float = 60.0) -> None:
        """``patience``: seconds left to a command that is to be held, to say its first line."""
        self.name = name
        self._ssh = ssh
        self._patience = patience
        self._holder: Holder | None = None
        self._shared: tuple[str, ...] = ()

    def run(self, command: Sequence[str], *, given: str = "") -> str:
        return self._run(command, given.encode())

    def put(self, folder: Path, place: str) -> None:
        self._run([*UNPACK, place], packed(folder))

    @contextmanager
    def held(self, command: Sequence[str]) -> Iterator[str]:
        # A short path: a socket's may not be longer than a hundred characters.
        with tempfile.TemporaryDirectory(prefix="albert-ssh-", dir="/tmp") as folder:
            socket = f"{folder}/s"
            program = self._program(command, "-M", "-S", socket, "-o", "ControlPersist=no")
            with self._named():
                holder = Holder(program, self._patience)
            # Should the shared connection be lost, OpenSSH would open another one, without a word;
            # « false » is no way to the machine.
            self._shared = ("-S", socket, "-o", "ControlMaster=no", "-o", "ProxyCommand=false")
            self._holder = holder
            try:
                yield holder.line
            finally:
                self._holder, self._shared = None, ()
                holder.stop()

    def _run(self, command: Sequence[str], given: bytes) -> str:
        if self._holder and not self._holder.lives():
            raise lost(self.name)
        with self._named():
            return self._program(command, *self._shared).run(given)

    def _program(self, command: Sequence[str], *more: str) -> Program:
        over_there = shlex.join(["sh", "-c", _WRAP, _BEGIN, *command])
        words = ("ssh", *self._ssh.words(), *more, "--", self.name, over_there)
        return Program(words, tuple(command), _UNREACHABLE, _BEGIN)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of which machine an error is."""
        try:
            yield
        except HostUnreachable as error:
            told = str(error)
            known = self._holder is None or _CROWDED in told.lower()
            raise (why(self.name, told) if known else lost(self.name)) from None
        except DeploymentError as error:
            raise DeploymentError(f"{self.name} : {error}") from None


_CROWDED = "session open refused by peer"
_REASONS = {
    _CROWDED: "son sshd n'ouvre qu'une session par connexion, et le verrou en tient une : donnez "
    "« MaxSessions 2 » ou plus à son sshd_config",
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


def why(name: str, said: str) -> HostUnreachable:
    """Return what to do about a machine that does not let us in, from what OpenSSH said."""
    plain = " ".join(said.split())
    signs = (sign for sign in _REASONS if sign in plain.lower())
    sign = next(signs, None)
    reason = _REASONS[sign].format(name=name) if sign else plain[-300:]
    return HostUnreachable(f"L'hôte « {name} » est hors d'atteinte : {reason}.")
