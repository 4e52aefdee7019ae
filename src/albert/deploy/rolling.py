"""Workers changed one set at a time, while nginx sends everybody to the others."""

from __future__ import annotations

import http.client
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from albert.deploy.hosts import Host
from albert.domain.errors import DeploymentError

_REPLACE = 'umask 022; cat >"$1.new" && mv -T "$1.new" "$1"'
_READ = 'if [ -e "$1" ]; then cat "$1"; fi'


@dataclass(frozen=True, slots=True)
class Front:
    """nginx on one machine, and its file of the workers that may be asked.

    ``settle``: seconds after which nobody who was told of a worker before still goes to it. A
    reload returns before nginx's new processes serve; the old ones take no new connection then.
    """

    host: Host
    file: str
    reload: str  # a command, in the words of a shell; empty: a unit of systemd watches the file
    settle: float = 2.0

    def show(self, workers: Sequence[str]) -> None:
        """Have these workers asked, ``address:port`` each, and no other, from now on.

        Raises:
            DeploymentError: nginx refuses the file, which is then as it was.
            HostUnreachable
        """
        before = self.said()
        self._put(upstream(workers))
        try:
            if self.reload:
                self.host.run(shlex.split(self.reload))
        except DeploymentError:
            if before:
                self._put(before)
            raise
        time.sleep(self.settle)

    def said(self) -> str:
        """Return the file as it is; empty where there is none."""
        return self.host.run(["sh", "-c", _READ, "sh", self.file])

    def _put(self, text: str) -> None:
        self.host.run(["sh", "-c", _REPLACE, "sh", self.file], given=text)


def upstream(workers: Sequence[str]) -> str:
    """Return nginx's block of the workers, which ``contrib/nginx/albert.conf`` refers to.

    nginx closes an idle connection before a worker does (five seconds). A worker that fails is left
    aside for a while, which all processes of nginx know (``zone``); where all are, each is asked
    all the same (``backup``), so that nobody is refused because of what one request met.
    """
    first = "".join(f"    server {one} max_fails=1 fail_timeout=30s;\n" for one in workers)
    else_ = "".join(f"    server {one} backup max_fails=0;\n" for one in workers)
    return (
        f"upstream albert_api {{\n    zone albert_api 64k;\n{first}{else_}"
        "    keepalive 32;\n    keepalive_timeout 4s;\n}\n"
    )


def roll(
    fronts: Sequence[Front],
    workers: Mapping[str, str],
    restart: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    """Restart each worker of ``workers`` (address by name) while the others are asked.

    ``restart`` returns once the worker is ready, or raises: it is then left aside, and those
    after it are left alone. Run again, it begins with the one that nobody is sent to.

    Raises:
        DeploymentError, HostUnreachable
    """
    if len(workers) < 2:
        say("Un seul jeu de processus : le service s'interrompt le temps de son redémarrage.")
    asked = "".join(front.said() for front in fronts)
    for name, address in sorted(workers.items(), key=lambda one: f"server {one[1]} " in asked):
        if others := [other for other in workers.values() if other != address]:
            _show(fronts, others)
        say(f"{name} redémarre ; les autres servent.")
        restart(name)
    _show(fronts, list(workers.values()))


def wait_ready(port: int, seconds: float) -> None:
    """Wait until the worker of that port, on this machine, says that it can answer.

    Raises:
        DeploymentError: it does not, within ``seconds``.
    """
    end, said = time.monotonic() + seconds, "rien"
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            said = type(error).__name__
        else:
            if status == 200:
                return
            said = str(status)
        finally:
            connection.close()
        time.sleep(0.2)
    raise DeploymentError(
        f"Le jeu du port {port} n'est pas prêt après {seconds:.0f} secondes ({said}) : il reste à "
        "l'écart, les autres servent. Son journal dit pourquoi ; réparez, puis relancez."
    )


def _show(fronts: Sequence[Front], workers: Sequence[str]) -> None:
    for front in fronts:
        front.show(workers)
