"""What a version needs before it serves: its models; its schema, its sheets, its addresses."""

from __future__ import annotations

from contextlib import ExitStack

from albert.deploy.bundle import Bundle
from albert.deploy.release import KEPT, stage
from albert.deploy.site import Part
from albert.deploy.sites import Sites


def prepare(sites: Sites, bundle: Bundle, part: Part) -> None:
    """Bring a bundle, and run the tasks of its images that prepare a part; the old one serves.

    Raises:
        DeploymentError, HostUnreachable
    """
    there = sites.of((part,))
    with ExitStack() as stack:
        there.alone(stack, f"{bundle.release}, préparation")
        stage(there, bundle, (part,))
        for host, site in there.sites.items():
            if task := bundle.task(host, part):
                sites.tell(f"{host} : {task}")
                told = site.compose(
                    bundle.release, *("--profile", "setup", "run", "--rm", "--no-deps", task)
                )
                sites.tell(told.rstrip())
            site.prune(KEPT)
    sites.tell(f"La version {bundle.release} est prête ({part}).")
