"""A machine to deploy to: a real OpenSSH server on loopback, with a home of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Machine:
    """What a deployment knows of it, and where its files are here."""

    name: str
    port: int
    home: Path
    known: str  # its line of known_hosts
    pid: int

    @property
    def albert(self) -> Path:
        return self.home / "albert"

    def serving(self, part: str) -> str | None:
        link = self.albert / "current" / part
        return link.readlink().name if link.is_symlink() else None

    def releases(self) -> set[str]:
        return {path.name for path in (self.albert / "releases").glob("*")}


def key(path: Path) -> Path:
    """Make a pair of keys: ``path``, and beside it ``path.pub``."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def machine(folder: Path, name: str, authorized: Path, path: str, *more: str) -> Iterator[Machine]:
    """Serve a machine until the end; ``authorized`` is a public key, ``path`` its PATH, and
    ``more`` lines of its sshd_config.
    """
    folder.mkdir()
    home, port = folder / "home", free_port()
    home.mkdir()
    host_key = key(folder / "host_key")
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {authorized}\nStrictModes no\nPermitRootLogin prohibit-password\n"
        f'PasswordAuthentication no\nSetEnv HOME={home} PATH="{path}"\n' + "\n".join(more)
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd drops its privileges
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log)
    try:
        _answers(port, server, folder / "log")
        known = host_key.with_suffix(".pub").read_text().rsplit(" ", 1)[0]
        yield Machine(name, port, home, f"{name} {known}\n", server.pid)
    finally:
        server.terminate()
        server.wait()


@dataclass(frozen=True)
class Access:
    """The files of who deploys: what the variables SSH_… of the pipeline are."""

    key: Path
    known_hosts: Path
    config: Path

    def variables(self) -> dict[str, str]:
        return {
            "SSH_PRIVATE_KEY": str(self.key),
            "SSH_KNOWN_HOSTS": str(self.known_hosts),
            "SSH_CONFIG": str(self.config),
        }


def access(folder: Path, private: Path, machines: list[Machine]) -> Access:
    """Write what is needed to reach machines, each under its own name."""
    known, config = folder / "known_hosts", folder / "ssh_config"
    known.write_text("".join(one.known for one in machines))
    config.write_text(
        "".join(
            f"Host {one.name}\n  HostName 127.0.0.1\n  Port {one.port}\n"
            f"  HostKeyAlias {one.name}\n  User {os.environ.get('USER') or 'root'}\n"
            for one in machines
        )
    )
    return Access(private, known, config)


def _answers(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())
