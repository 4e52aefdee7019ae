"""``albert deploy roll``: restart the API's workers one set at a time, losing no request."""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from albert.cli.console import say
from albert.deploy.env_file import read
from albert.deploy.here import services_here
from albert.deploy.hosts import LocalHost
from albert.deploy.plan import plan
from albert.deploy.rolling import Front, roll, unready, wait_ready
from albert.domain.errors import DeploymentError
from albert.settings import environment


def roll_here(
    env_file: Annotated[
        Path | None, typer.Option("--env-file", help="Variables de l'environnement (API_PORTS).")
    ] = None,
    restart: Annotated[
        str, typer.Option(help="Commande qui redémarre un jeu ; {port} y est son port.")
    ] = "systemctl restart albert-api@{port}.service",
    upstream: Annotated[Path, typer.Option(help="Fichier de nginx qui nomme les jeux.")] = Path(
        "/etc/nginx/conf.d/albert-upstream.conf"
    ),
    reload: Annotated[
        str, typer.Option(help="Commande qui fait relire sa configuration à nginx.")
    ] = "systemctl reload nginx",
    settle: Annotated[
        float, typer.Option(help="Secondes laissées à nginx après cette relecture.", min=0)
    ] = 2.0,
    timeout: Annotated[
        float, typer.Option(help="Secondes laissées à un jeu pour être prêt.", min=1)
    ] = 300.0,
) -> None:
    """Redémarre les jeux de processus de l'API l'un après l'autre, sur cette machine.

    nginx n'interroge pas celui qui redémarre. Un jeu qui n'est pas prêt à temps reste à l'écart,
    et l'autre continue de servir.
    """
    values = read(env_file) if env_file else environment()
    ports = [one.port for one in services_here(plan("", values)) if one.kind == "api"]
    host = LocalHost()
    front = Front(host, str(upstream), reload, settle)

    def again(port: str) -> None:
        host.run([word.replace("{port}", port) for word in shlex.split(restart)])
        wait_ready(int(port), timeout)

    workers = {str(port): f"127.0.0.1:{port}" for port in ports}
    front.check()
    with _alone(upstream):
        roll(front, workers, again, lambda port: not unready(int(port)), say)
    say("Tous les jeux de processus ont redémarré.")


@contextmanager
def _alone(upstream: Path) -> Iterator[None]:
    """Be the only one who restarts the sets of that file; the kernel ends it with us."""
    folder = os.open(upstream.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeploymentError(
                "Un autre « albert deploy roll » redémarre déjà ces jeux de processus : attendez "
                "qu'il finisse, puis recommencez."
            ) from None
        yield
    finally:
        os.close(folder)
