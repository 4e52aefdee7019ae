"""What would keep services from starting, told before anything of them is changed."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from albert.deploy.compose.engine import Project
from albert.domain.errors import DeploymentError

IMAGES_USER = 10001
"""Who Albert's images run as."""


def check(project: Project, services: Iterable[str]) -> None:
    """See that ``services`` can start on this machine. Images of a registry are pulled.

    Raises:
        DeploymentError
    """
    wanted = tuple(services)
    project.check_program()
    _check_networks(project)
    _check_files(project, wanted)
    for service in wanted:
        _check_writable(project, service)
    _check_ports(project, wanted)
    _check_images(project, wanted)


def _check_networks(project: Project) -> None:
    for one in project.networks.values():
        name = (one or {}).get("name", "")
        if name and project.ask("network", "inspect", name).returncode:
            raise DeploymentError(
                f"Le réseau « {name} » n'existe pas : démarrez d'abord les bases de données, par "
                f"« {project.program} --env-file=… up --detach »."
            )


def _check_files(project: Project, services: Iterable[str]) -> None:
    for service in services:
        for source, _ in _sources(project, service):
            if not (project.folder / source).exists():
                raise DeploymentError(
                    f"« {source} », que lit {service}, n'existe pas sur cette machine : créez-le, "
                    "ou corrigez les variables de l'environnement."
                )


def _check_writable(project: Project, service: str) -> None:
    """See that the user of the images may write where ``service`` does."""
    for source, read_only in _sources(project, service):
        folder = Path(source)
        if read_only or not folder.is_absolute():
            continue
        status = folder.stat()
        if status.st_uid != IMAGES_USER and not status.st_mode & 0o002:
            raise DeploymentError(
                f"Les conteneurs ne peuvent pas écrire dans « {folder} » : lancez « sudo chown "
                f"{IMAGES_USER} {folder} »."
            )


def _check_ports(project: Project, services: Iterable[str]) -> None:
    """Ours may hold their port: they are replaced."""
    held = {place for one in project.containers() for place in one.ports}
    for service in services:
        for said in project.services[service].get("ports", ()):
            address, port = _place(said)
            if (address, port) not in held and _is_taken(address, port):
                raise DeploymentError(
                    f"Un autre programme écoute déjà sur le port {port} de {address}, celui de "
                    f"{service} : arrêtez-le, ou changez le port dans API_PORTS ou la table de "
                    "routage."
                )


def _check_images(project: Project, services: Iterable[str]) -> None:
    for service in services:
        image = project.services[service]["image"]
        if project.ask("image", "inspect", image).returncode == 0:
            continue
        if project.services[service]["pull_policy"] == "never":
            raise DeploymentError(
                f"L'image « {image} » n'est pas sur cette machine : construisez-la par « bash "
                "utils/build_images.sh », ou donnez dans IMAGE_NAME le registre qui l'a."
            )
        project.pull(image)


def _sources(project: Project, service: str) -> Iterator[tuple[str, bool]]:
    for volume in project.services[service]["volumes"]:
        if volume["type"] == "bind":
            yield volume["source"].replace("$$", "$"), volume.get("read_only", False)


def _place(said: str) -> tuple[str, int]:
    address, port, _ = said.rsplit(":", 2)
    return address.strip("[]"), int(port)


def _is_taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise DeploymentError(
                    f"Cette machine n'a pas l'adresse {address} : la table de routage en nomme une "
                    "autre ; dites la bonne par --host."
                ) from None
            return error.errno == errno.EADDRINUSE
    return False
