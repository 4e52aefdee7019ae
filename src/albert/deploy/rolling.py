"""Workers changed one set at a time, while nginx sends everybody to the others."""

from __future__ import annotations

import http.client
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from albert.deploy.hosts import Host
from albert.domain.errors import DeploymentError

WATCHER = "albert-reload.path"
"""The unit of systemd by which nginx reads its file where no command has it do so."""

_REPLACE = 'umask 022; cat >"$1.new" && [ "$(wc -c <"$1.new")" = "$2" ] && mv -T "$1.new" "$1"'
"""All of it: a connection that is cut ends the text too."""
_LOOK = 'if [ ! -f "$1" ]; then echo absent; elif [ ! -w "$(dirname "$1")" ]; then echo closed; fi'
_UNFIT = {
    "absent": "« {file} », qui nomme à nginx les jeux de processus, n'existe pas : installez "
    "nginx, puis « sudo cp contrib/nginx/albert-upstream.conf {file} » ; derrière Caddy, "
    "redémarrez les jeux l'un après l'autre, comme le dit docs/deploiement/exploitation.md.",
    "closed": "Ce compte ne peut pas remplacer « {file} » : recommencez en root, ou donnez-lui le "
    "dossier de ce fichier, comme le dit docs/deploiement/cicd.md.",
}


@dataclass(frozen=True, slots=True)
class Front:
    """nginx on one machine, and its file of the workers that may be asked.

    ``settle``: seconds after which nobody who was told of a worker before still goes to it. A
    reload returns before nginx's new processes serve; the old ones take no new connection then.
    """

    host: Host
    file: str
    reload: str  # a command, in the words of a shell; empty: ``WATCHER`` watches the file
    settle: float = 2.0

    def check(self) -> None:
        """Refuse a machine where nothing can be shown; nginx reads its file once, as it is.

        Raises:
            DeploymentError: with what to do.
            HostUnreachable
        """
        if found := self.host.run(["sh", "-c", _LOOK, "sh", self.file]).strip():
            raise DeploymentError(_UNFIT[found].format(file=self.file))
        try:
            self._reload()
        except DeploymentError as error:
            raise DeploymentError(
                "nginx ne relit pas sa configuration (« sudo nginx -t » et « systemctl status "
                f"nginx » disent pourquoi), et rien n'a été changé : {error}"
            ) from None
        if not self.reload and not self._watched():
            raise DeploymentError(
                f"L'unité {WATCHER} ne surveille pas « {self.file} » : installez-la et démarrez-la "
                "comme le dit docs/deploiement/cicd.md, ou donnez dans UPSTREAM_RELOAD la commande "
                "qui fait relire ce fichier à nginx."
            )

    def show(self, workers: Sequence[str]) -> None:
        """Have these workers asked, ``address:port`` each, and no other, from now on.

        Raises:
            DeploymentError: nginx refuses the file, which is then as it was; or there is none.
            HostUnreachable
        """
        before = self.said()
        self._put(upstream(workers))
        try:
            self._reload()
        except DeploymentError:
            self._put(before)
            raise
        time.sleep(self.settle)

    def said(self) -> str:
        """Return the file as it is.

        Raises:
            DeploymentError: there is none.
            HostUnreachable
        """
        return self.host.run(["cat", self.file])

    def _put(self, text: str) -> None:
        size = str(len(text.encode()))
        self.host.run(["sh", "-c", _REPLACE, "sh", self.file, size], given=text)

    def _reload(self) -> None:
        if self.reload:
            self.host.run(shlex.split(self.reload))

    def _watched(self) -> bool:
        try:
            told = self.host.run(["systemctl", "show", "--property=ActiveState,Paths", WATCHER])
        except DeploymentError:
            return False
        return "ActiveState=active" in told and f"{self.file} (" in told


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
    front: Front,
    workers: Mapping[str, str],
    restart: Callable[[str], None],
    well: Callable[[str], bool],
    say: Callable[[str], None],
) -> None:
    """Restart each worker of ``workers`` (address by name) while the others are asked.

    ``restart`` returns once the worker is ready, or raises: it is then left aside, and those
    after it are left alone. Those that are not ``well`` come first, then those that nobody is
    sent to: nginx is told of workers that answer only, and the last of them never stops.

    Raises:
        DeploymentError, HostUnreachable
    """
    if len(workers) < 2:
        say("Un seul jeu de processus : le service s'interrompt le temps de son redémarrage.")
    asked = front.said()
    rank = {name: (well(name), f"server {at} " in asked) for name, at in workers.items()}
    for name in sorted(workers, key=rank.__getitem__):
        others = [other for other in workers if other != name and well(other)]
        if others:
            front.show([workers[other] for other in others])
            say(f"{name} redémarre ; les autres servent.")
        elif len(workers) > 1 and well(name):
            raise DeploymentError(
                f"{name} est seul à répondre, et n'a pas été redémarré : le journal des autres dit "
                "pourquoi ; réparez-les, puis relancez."
            )
        else:
            say(f"{name} redémarre ; aucun autre ne sert.")
        restart(name)
    front.show(list(workers.values()))


def wait_ready(port: int, seconds: float) -> None:
    """Wait until the worker of that port, on this machine, says that it can answer.

    Raises:
        DeploymentError: it does not, within ``seconds``.
    """
    end = time.monotonic() + seconds
    while said := unready(port):
        if time.monotonic() > end:
            raise DeploymentError(
                f"Le jeu du port {port} n'est pas prêt après {seconds:.0f} secondes ({said}) : il "
                "reste à l'écart, les autres servent. Son journal dit pourquoi ; réparez, puis "
                "relancez."
            )
        time.sleep(0.2)


def unready(port: int) -> str:
    """Return what the worker of that port says instead of being ready; empty if it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
    return "" if status == 200 else str(status)
