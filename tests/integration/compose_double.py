"""Machines of a deployment, each in a folder: our real script runs there, with a Compose that only
writes down what it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from albert.deploy.bundle import Bundle, bundle
from albert.deploy.hosts import LocalHost
from albert.deploy.plan import Kind, Plan, Service
from albert.deploy.site import Part, Site
from albert.deploy.sites import Sites
from albert.domain.errors import HostUnreachable

# A service runs the release whose name is in runs/SERVICE. One of a folder that has a file « sick »
# is not well; where there is a file « broken », Compose starts and stops nothing.
_COMPOSE = """#!/bin/sh
case $1 in version | image) exit 0 ;; esac
shift 2
verb=$1
shift
echo "$(basename "$PWD") $verb" >>"$HOME/asked"
for last; do :; done
case $verb in
up | stop) if [ -e "$HOME/broken" ]; then echo "no engine" >&2; exit 1; fi ;;
esac
case $verb in
up) basename "$PWD" >"$HOME/runs/$last" ;;
stop) for name in "$@"; do rm -f "$HOME/runs/$name"; done ;;
exec) [ -e "$HOME/runs/$2" ] && [ ! -e "$HOME/albert/releases/$(cat "$HOME/runs/$2")/sick" ] ;;
esac
"""


class Machine(LocalHost):
    """A machine whose home is a folder; ``up`` says whether it can be reached."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self.home = home
        self.up = True
        (home / "runs").mkdir(parents=True)

    def _run(self, command: Sequence[str], given: bytes) -> str:
        self._reach()
        return super()._run(["env", f"HOME={self.home}", *command], given)

    @contextmanager
    def held(self, command: Sequence[str]) -> Iterator[str]:
        self._reach()
        with super().held(["env", f"HOME={self.home}", *command]) as line:
            yield line

    def _reach(self) -> None:
        if not self.up:
            raise HostUnreachable(f"L'hôte « {self.name} » est hors d'atteinte.")

    @property
    def runs(self) -> dict[str, str]:
        """The version that each service runs."""
        return {
            path.name: path.read_text().partition("-")[0]
            for path in sorted((self.home / "runs").iterdir())
        }

    @property
    def kept(self) -> set[str]:
        """The versions that are there."""
        return {path.name.partition("-")[0] for path in (self.home / "albert/releases").iterdir()}

    def break_compose(self, *, broken: bool = True) -> None:
        if broken:
            (self.home / "broken").touch()
        else:
            (self.home / "broken").unlink()


class World:
    """Machines, and the environment that is deployed to them."""

    def __init__(self, folder: Path, *services: str) -> None:
        self.folder = folder
        self.machines: dict[str, Machine] = {}
        self.told: list[str] = []
        self.compose = folder / "engine-compose"
        self.compose.write_text(_COMPOSE)
        (folder / "engine").write_text("#!/bin/sh\n")  # every image is there
        for program in (self.compose, folder / "engine"):
            program.chmod(0o755)
        self.plan = self.planned(*services)

    def planned(self, *services: str) -> Plan:
        """Have these services, each « HOST NAME PORT », from now on: « vm1 api-1 8001 »."""
        wanted = []
        for host, name, port in (service.split() for service in services):
            kind: Kind = "api" if name.startswith("api") else "llm"
            wanted.append(Service(kind, name, host, int(port), {}))
            if host not in self.machines:
                self.machines[host] = Machine(host, self.folder / host)
        self.plan = Plan("essai-staging", tuple(wanted))
        return self.plan

    @property
    def sites(self) -> Sites:
        sites = {host: Site(self.machines[host], str(self.compose)) for host in self.plan.hosts}
        return Sites(self.plan, sites, self.told.append, patience=0)

    def version(self, name: str, *, sick: str = "") -> Bundle:
        """Render a version, which is ill on the machine ``sick``."""
        rendered = self.folder / "rendered" / name
        for host in self.plan.hosts:
            place = rendered / host
            place.mkdir(parents=True)
            services = "".join(
                f"  {one.name}: {{image: i, healthcheck: {{test: [CMD, well]}}}}\n"
                for one in self.plan.on(host)
            )
            (place / "compose.yml").write_text(f"services:\n{services}")
            if host == sick:
                (place / "sick").touch()
        return bundle(self.plan, rendered, name)

    def runs(self, *hosts: str) -> list[dict[str, str]]:
        return [self.machines[host].runs for host in hosts or self.machines]

    def serving(self, part: Part, place: str = "current") -> list[str]:
        links = [one.home / "albert" / place / part for one in self.machines.values()]
        return [link.readlink().name.partition("-")[0] for link in links if link.is_symlink()]
