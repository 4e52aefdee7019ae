"""Docker Compose on this machine, driven for what was rendered."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from albert.deploy.compose.render import COMPOSE_FILE
from albert.domain.errors import DeploymentError

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_SECONDS = 60.0
"""For a question to the engine."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of one of our containers."""

    service: str
    state: str
    health: str
    """``healthy``, ``starting``, ``unhealthy``; empty: it has no check."""
    ports: tuple[tuple[str, int], ...]
    """Addresses and ports of the machine."""


class Project:
    """The services of one rendered folder, and the programs that run them."""

    def __init__(self, folder: Path, program: Sequence[str], given: Mapping[str, str]) -> None:
        """``given`` is the environment of the programs, less what would name another project.

        Raises:
            DeploymentError: nothing was rendered in ``folder``.
        """
        self.folder = folder
        definition = _read(folder / COMPOSE_FILE)
        self._environment = {k: v for k, v in given.items() if not k.startswith("COMPOSE_")}
        self.name = str(definition["name"])
        self.services: Mapping[str, Mapping[str, Any]] = definition["services"]
        self.networks: Mapping[str, Any] = definition.get("networks", {})
        self._program = tuple(program)

    @property
    def lasting(self) -> tuple[str, ...]:
        """The services that run until they are stopped, in the order in which they start."""
        return tuple(name for name, one in self.services.items() if "profiles" not in one)

    @property
    def program(self) -> str:
        return shlex.join(self._program)

    @property
    def engine(self) -> str:
        """The program that knows images and containers: docker, or podman."""
        return Path(self._program[0]).name.removesuffix("-compose")

    def compose(self, *words: str) -> None:
        """Run Compose; what it says is seen as it says it.

        Raises:
            DeploymentError: it failed.
        """
        file = str(self.folder / COMPOSE_FILE)
        command = [*self._program, "-p", self.name, "-f", file, *words]
        if done := self._run(command):
            verb = next((word for word in words if not word.startswith("-")), "")
            raise DeploymentError(
                f"« {self.program} {verb} » a échoué ({done}) ; la raison est ci-dessus."
            )

    def pull(self, image: str) -> None:
        """Bring an image from its registry.

        Raises:
            DeploymentError
        """
        done = self._run([self.engine, "pull", image])
        if done:
            raise DeploymentError(
                f"L'image « {image} » n'a pas pu être rapportée ({done}) ; la raison est "
                f"ci-dessus : vérifiez son nom, IMAGE_TAG, et « {self.engine} login »."
            )

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Ask the engine; whether it knows is for the caller to judge.

        Raises:
            DeploymentError: it is not installed, or does not answer.
        """
        return self._answer([self.engine, *words])

    def check_program(self) -> None:
        """See that Compose and its engine are there, and answer.

        Raises:
            DeploymentError
        """
        if self._answer([*self._program, "version"]).returncode:
            raise DeploymentError(
                f"« {self.program} » ne répond pas : installez docker-compose-plugin, ou dites un "
                "autre programme dans COMPOSE_PROGRAM."
            )
        if self.ask("info").returncode:
            raise DeploymentError(
                f"Le moteur de « {self.engine} » ne répond pas : démarrez-le (« systemctl start "
                "docker »), et voyez que ce compte a le droit de lui parler (groupe docker)."
            )

    def containers(self) -> tuple[Container, ...]:
        """Return our containers, those that ended included.

        Raises:
            DeploymentError
        """
        listed = self.ask("ps", "--all", "--quiet", "--filter", f"label={_PROJECT}={self.name}")
        ids = listed.stdout.split()
        if not ids:
            return ()
        told = self.ask("inspect", *ids)
        try:
            found = json.loads(told.stdout)
        except ValueError:
            raise DeploymentError(
                f"« {self.engine} inspect » a répondu autre chose que des conteneurs."
            ) from None
        return tuple(_container(one) for one in found)

    def _run(self, command: Sequence[str]) -> int:
        """Run a program whose words are seen; Ctrl-C is for it first, then for us."""
        try:
            return subprocess.run(command, env=self._environment, check=False).returncode  # noqa: S603
        except FileNotFoundError:
            raise DeploymentError(_missing(command[0])) from None

    def _answer(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(  # noqa: S603 — words, no shell
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise DeploymentError(_missing(command[0])) from None
        except subprocess.TimeoutExpired:
            raise DeploymentError(
                f"« {shlex.join(command[:3])} » n'a pas répondu en {_SECONDS:.0f} secondes."
            ) from None


def _read(file: Path) -> Mapping[str, Any]:
    try:
        made: Mapping[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    except FileNotFoundError:
        raise DeploymentError(
            f"« {file} » n'existe pas : lancez d'abord « albert deploy render »."
        ) from None
    return made


def _missing(program: str) -> str:
    return (
        f"Le programme « {program} » est introuvable : installez-le (« bash utils/init_vm.sh » le "
        "fait), ou dites-en un autre dans COMPOSE_PROGRAM."
    )


def _container(said: Mapping[str, Any]) -> Container:
    state = said["State"]
    health = state.get("Health") or state.get("Healthcheck") or {}
    bindings = (said.get("NetworkSettings") or {}).get("Ports") or {}
    return Container(
        service=(said["Config"].get("Labels") or {}).get(_SERVICE, ""),
        state=state["Status"],
        health=health.get("Status") or "",
        ports=tuple(
            (one.get("HostIp") or "0.0.0.0", int(one["HostPort"]))  # noqa: S104 — what Docker means
            for bound in bindings.values()
            for one in bound or ()
        ),
    )
