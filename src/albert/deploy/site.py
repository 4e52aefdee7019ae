"""The releases that a machine keeps, and the one that serves; every step is ``on_host.sh``'s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Literal

from albert.deploy.hosts import Host
from albert.domain.errors import DeploymentError

Part = Literal["llm", "api"]
PARTS: tuple[Part, ...] = ("llm", "api")
"""What is released at one go: the models (language and vectors), or the API."""

_SCRIPT = "on_host.sh"
_HOLD = (
    'umask 077; mkdir -p "$HOME/albert"; exec 9>>"$HOME/albert/deploy.lock"; '
    'if flock --nonblock 9; then : >"$HOME/albert/deploy.lock"; echo "$1" >&9; echo locked; '
    'exec cat >/dev/null; else echo "busy $(cat "$HOME/albert/deploy.lock")"; fi'
)
"""Nobody else deploys to a machine while our connection lives; should it be lost, the host refuses
what we ask after (``Host.held``)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a machine said of itself."""

    home: str
    environment: str  # the one that it serves; empty on a new machine
    free: int  # KiB on the disk of ~/albert
    listening: frozenset[int]  # ports
    ours: frozenset[int]  # ports of the services that serve, or that should give way
    refused: str  # what Compose said instead of its version; empty: it runs
    step: str  # of a deployment that was killed, and that goes on; empty: none
    current: dict[Part, str] = field(default_factory=dict)
    # The last one that was seen healthy; none where nothing serves any more.
    good: dict[Part, str] = field(default_factory=dict)
    back: dict[Part, str] = field(default_factory=dict)  # a return to it is not finished
    healthy: dict[Part, list[str]] = field(default_factory=dict)  # once; the last one first
    services: dict[Part, dict[str, int]] = field(default_factory=dict)  # that serve, and their port

    def serves(self, part: Part, release: str) -> bool:
        """Whether this very release is in service, with nothing left to do."""
        return self.current[part] == self.good[part] == release and not self.back[part]


class Site:
    """A machine to which releases go.

    Its methods raise ``DeploymentError`` and ``HostUnreachable``, as ``Host`` does.
    """

    def __init__(self, host: Host, program: str) -> None:
        """``program`` is Compose over there, in the words of a shell."""
        self.host = host
        self._program = program

    @property
    def _engine(self) -> str:
        """The program that knows images: ``docker`` of ``docker compose`` or ``docker-compose``."""
        *before, last = self._program.split()
        return " ".join(before if last == "compose" else [*before, last.removesuffix("-compose")])

    @contextmanager
    def alone(self, who: str) -> Iterator[None]:
        """Be the only one who deploys to this machine."""
        with self.host.held(["sh", "-c", _HOLD, "hold", who]) as line:
            if line != "locked":
                by = line.removeprefix("busy").strip() or "quelqu'un"
                raise DeploymentError(
                    f"{self.host.name} : un autre déploiement y est en cours ({by}). Attendez "
                    "qu'il finisse, puis recommencez ; rien n'a été changé."
                )
            yield

    def facts(self) -> Facts:
        said: dict[str, str] = {}
        for line in self._do("facts", self._program).splitlines():
            name, _, value = line.partition("=")
            said[name] = value.strip()
        return Facts(
            home=said["home"],
            environment=said["environment"],
            free=int(said["free"] or 0),
            listening=frozenset(int(port, 16) for port in said["listening"].split()),
            ours=frozenset(int(port) for port in said["ours"].split()),
            refused="" if said["compose"] == "yes" else said.get("told") or "introuvable",
            step=said["step"],
            current={part: said[f"current.{part}"] for part in PARTS},
            good={part: said[f"current.{part}"] and said[f"good.{part}"] for part in PARTS},
            back={part: said[f"back.{part}"] for part in PARTS},
            healthy={part: said[f"healthy.{part}"].split() for part in PARTS},
            services={part: _ports(said[f"services.{part}"]) for part in PARTS},
        )

    def wait(self, seconds: float) -> None:
        """Wait for the end of a step that a killed deployment left behind.

        Raises:
            DeploymentError: it has not ended within ``seconds``.
            HostUnreachable
        """
        if step := self._do("wait", f"{seconds:.0f}").strip():
            raise DeploymentError(
                f"{self.host.name} : l'étape « {step} » d'un déploiement interrompu n'y finit pas "
                f"({seconds / 60:.0f} minutes) : arrêtez-la sur l'hôte (« lslocks » "
                "montre le processus qui tient ~/albert/step.lock), puis recommencez."
            )

    def receive(self, folder: Path, environment: str, release: str, home: str) -> None:
        """Bring a bundle, whole or not at all."""
        self.host.put(folder, f"{home}/albert/releases/.incoming-{release}")
        self._do("keep", environment, release)

    def pull(self, images: Sequence[str]) -> None:
        self._do("pull", self._engine, *images)

    def switch(self, part: Part, release: str) -> None:
        self._do("switch", part, release)

    def compose(self, release: str, *words: str) -> str:
        """Run Compose in the folder of a release."""
        return self._do("compose", release, self._program, "--", *words)

    def healthy(self, release: str, service: str, seconds: float) -> str | None:
        """Wait for a service; return what it said instead of being well, or None if it is."""
        said = self._do("healthy", release, self._program, service, f"{seconds:.0f}").strip()
        return None if said == "well" else said

    def last_words(self, release: str, service: str) -> str:
        """Return the end of a service's journal: it goes with the container, which gives way."""
        try:
            return self.compose(release, "logs", "--no-color", "--tail", "40", service).strip()
        except DeploymentError as error:
            return str(error)

    def return_to(self, part: Part, release: str) -> None:
        """Write down that we go back to a release: until it is approved, that is not finished."""
        self._do("back", part, release)

    def approve(self, part: Part, release: str) -> None:
        """Write down that a release serves well: the one to go back to."""
        self._do("good", part, release)

    def forget(self, part: Part) -> None:
        """Write down that nothing of a part serves here any more."""
        self._do("forget", part)

    def drop(self, part: Part, now: str = "") -> None:
        """Stop the services of a part that ``now`` does not name, of whichever release they are.

        Not « down »: Compose takes away with a service all those that wait for it.
        """
        lines = (line.split() for line in self._do("named", part).splitlines())
        named = {release: list(_ports(" ".join(words))) for release, *words in lines}
        kept = set(named.get(now, ()))
        for release, names in named.items():
            if gone := [name for name in names if name not in kept]:
                self.compose(release, "stop", *gone)
                kept.update(gone)

    def prune(self, count: int) -> None:
        """Keep what is in service, ``count`` that served each part, and as many that never did."""
        self._do("prune", str(count))

    def services(self, part: Part, release: str) -> dict[str, int]:
        """Return the services of a release that is there, and their ports."""
        return _ports(self._do("services", part, release))

    def _do(self, verb: str, *words: str) -> str:
        script = files("albert.deploy").joinpath(_SCRIPT).read_text("utf-8")
        return self.host.run(["sh", "-s", "--", verb, *words], given=script)


def _ports(said: str) -> dict[str, int]:
    pairs = (word.rpartition(":") for word in said.split())
    return {name: int(port) for name, _, port in pairs}
