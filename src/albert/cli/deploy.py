"""``albert deploy``: from one file of variables to services on machines."""

from __future__ import annotations

import os
import signal
import sys

import typer

from albert.cli import deploy_compose, deploy_gpu, deploy_release, deploy_render, deploy_systemd
from albert.cli.deploy_roll import roll_here
from albert.cli.deploy_verify import verify

_TERMINATED = 128 + signal.SIGTERM  # as shells say it

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _stop_clean() -> None:
    # A cancelled pipeline sends SIGTERM: what is for the time of a command only (files that have
    # secrets, a lock) is then undone. A second signal would cut that short.
    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(2, b"Interrompu.\n")  # not print, which it may have interrupted
        sys.exit(_TERMINATED)

    signal.signal(signal.SIGTERM, stop)


app.add_typer(
    deploy_gpu.app, name="gpu", help="La carte graphique d'un environnement, chez Outscale."
)
app.command("systemd")(deploy_systemd.systemd)
app.command("test")(verify)
app.command("roll")(roll_here)
app.command("render")(deploy_render.render)
app.command("setup")(deploy_compose.setup)
app.command("up")(deploy_compose.up)
app.command("down")(deploy_compose.down)
app.command("status")(deploy_compose.status)
app.command("logs")(deploy_compose.logs)
app.command("prepare")(deploy_release.prepare)
app.command("release")(deploy_release.release)
app.command("probe")(deploy_release.probe)
app.command("rollback")(deploy_release.rollback)
app.command("releases")(deploy_release.releases)
