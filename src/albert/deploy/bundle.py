"""What is sent to the machines: a folder for each, as it was rendered, under one name."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from albert.deploy.plan import Plan, Service
from albert.deploy.site import PARTS, Part
from albert.domain.errors import DeploymentError

TASKS: Mapping[Part, str] = {"llm": "setup-models", "api": "setup"}
"""The services of Compose that prepare a part, then end."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """The folder that ``albert deploy render`` made, of which each machine has its own within."""

    plan: Plan
    folder: Path
    release: str

    @contextmanager
    def of(self, host: str) -> Iterator[Path]:
        """Give the folder to send to a machine: what was rendered, and which services it has."""
        with TemporaryDirectory() as made:
            folder = Path(made) / "bundle"
            shutil.copytree(self.folder / host, folder)
            self._say_services(host, folder)
            yield folder

    def images(self, host: str, parts: tuple[Part, ...]) -> list[str]:
        """Return the images that a machine needs, each once."""
        said = _services(self.folder / host / "compose.yml")
        names = [name for part in parts for name in services(self.plan, host, part)]
        names += [task for task in (self.task(host, part) for part in parts) if task]
        return list(dict.fromkeys(str(said[name]["image"]) for name in names))

    def task(self, host: str, part: Part) -> str | None:
        """Return the service that prepares a part on a machine and ends, if there is one."""
        name = TASKS[part]
        return name if name in _services(self.folder / host / "compose.yml") else None

    def _say_services(self, host: str, folder: Path) -> None:
        """Write what the machine must know without reading Compose's file."""
        said = _services(folder / "compose.yml")
        (folder / "probes").mkdir()
        for part in PARTS:
            ports = services(self.plan, host, part)
            text = "".join(f"{name}:{port}\n" for name, port in ports.items())
            (folder / f"services.{part}").write_text(text, "utf-8")
            for name in ports:
                (folder / "probes" / name).write_text(shlex.join(_probe(said[name])), "utf-8")


def bundle(plan: Plan, folder: Path, version: str) -> Bundle:
    """Return what is to be released: its name is the version and a digest of all that is sent.

    So the same release has the same name, and another configuration of the same version is
    another release: what runs is never written over.

    Raises:
        DeploymentError: the version is no name, or something was not rendered.
    """
    if not _VERSION.fullmatch(version):
        raise DeploymentError(
            f"« {version} » n'est pas une version : lettres, chiffres, points et tirets seulement."
        )
    for host in plan.hosts:
        _rendered(plan, folder, host)
    return Bundle(plan, folder, f"{version}-{_digest(folder)}")


def services(plan: Plan, host: str, part: Part) -> dict[str, int]:
    """Return the services of a part on a machine, in their order, and their ports."""
    return {one.name: one.port for one in plan.on(host) if part_of(one) == part}


def part_of(service: Service) -> Part:
    return "api" if service.kind == "api" else "llm"


def _rendered(plan: Plan, folder: Path, host: str) -> None:
    path = folder / host / "compose.yml"
    again = f"Refaites-le : albert deploy render {plan.environment}"
    if not path.is_file():
        raise DeploymentError(f"« {path} » n'existe pas. {again}")
    said = _services(path)
    for one in plan.on(host):
        service = said.get(one.name, {})
        if "image" not in service or not _probe(service):
            raise DeploymentError(
                f"« {path} » n'a pas d'image ou de contrôle de santé pour « {one.name} ». {again}"
            )


def _probe(service: Mapping[str, Any]) -> list[str]:
    """Return the command by which the container is asked whether it is well."""
    kind, *words = (service.get("healthcheck") or {}).get("test") or [""]
    shell = kind == "CMD-SHELL"
    return ["sh", "-c", *words] if shell else [word.replace("$$", "$") for word in words]


def _services(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
        return dict(found["services"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError, UnicodeDecodeError):
        raise DeploymentError(
            f"« {path} » n'est pas un fichier de Compose : refaites-le par « albert deploy "
            "render »."
        ) from None


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        mode = path.stat().st_mode & 0o777
        digest.update(f"{path.relative_to(folder)} {mode:o} {content}\n".encode())
    return digest.hexdigest()[:8]
