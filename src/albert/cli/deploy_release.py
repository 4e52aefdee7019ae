"""``albert deploy release``, ``rollback``, ``releases``, ``prepare``: versions go to machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from albert import __version__
from albert.cli.console import say, show
from albert.cli.deploy_render import files_of, table_of
from albert.deploy.activation import Activate, BehindNginx, in_turn
from albert.deploy.bundle import Bundle, bundle, services
from albert.deploy.compose.folder import put
from albert.deploy.environments import environment_of
from albert.deploy.hosts import Host, LocalHost
from albert.deploy.plan import LOCAL, plan
from albert.deploy.preparation import prepare as prepare_sites
from albert.deploy.release import ill
from albert.deploy.release import release as release_to
from albert.deploy.rollback import rollback as roll_back
from albert.deploy.site import PARTS, Facts, Part, Site
from albert.deploy.sites import Sites
from albert.deploy.ssh import Ssh, SshHost
from albert.deploy.variables import default
from albert.domain.errors import EnvironmentInvalid, HostUnreachable
from albert.settings import environment as variables

Environment = Annotated[str, typer.Argument(metavar="ENV", help="Nom de l'environnement.")]
File = Annotated[
    Path | None,
    typer.Option("--env-file", help="Ses variables ; sinon environments/ENV.env."),
]
Version = Annotated[
    str, typer.Option("--version", help="Étiquette des images ; sinon IMAGE_TAG, ou notre version.")
]
Images = Annotated[str, typer.Option("--images", help="Début de leurs noms ; sinon IMAGE_NAME.")]
Folder = Annotated[
    Path | None,
    typer.Option("--bundle", help="Ce que « albert deploy render » a écrit ; sinon on le refait."),
]
Only = Annotated[
    Literal["llm", "api"] | None,
    typer.Option("--only", help="Les modèles seulement (llm), ou l'API seulement (api)."),
]
Wait = Annotated[
    float | None,
    typer.Option(min=1, help="Secondes laissées à un service ; sinon 1800 (llm) ou 300 (api)."),
]


def release(
    environment: Environment,
    env_file: File = None,
    version: Version = "",
    images: Images = "",
    only: Only = None,
    folder: Folder = None,
    wait: Wait = None,
) -> None:
    """Met une version en service sur chaque hôte ; malade, elle y cède la place à la précédente."""
    values = _values(environment, env_file, version, images)
    there = _sites(environment, values, _ssh(values), wait)
    with _bundle(there, values, folder) as made:
        release_to(there, made, _parts(only))


def rollback(
    environment: Environment,
    env_file: File = None,
    to: Annotated[str | None, typer.Option(help="Version ; sinon celle d'avant.")] = None,
    only: Only = None,
    wait: Wait = None,
) -> None:
    """Remet en service la version qui servait avant, sur chaque hôte."""
    values = environment_of(environment, env_file)
    there = _sites(environment, values, _ssh(values), wait)
    roll_back(there, _parts(only), to)


def releases(
    environment: Environment,
    env_file: File = None,
) -> None:
    """Dit quelle version sert sur chaque hôte, et celles auxquelles on peut revenir."""
    values = environment_of(environment, env_file)
    there = _sites(environment, values, _ssh(values))
    down = False
    for host, site in there.sites.items():
        try:
            facts = site.facts()
        except HostUnreachable as error:
            down = True
            say(str(error))
            continue
        for part in PARTS:
            if services(there.plan, host, part):
                now = facts.current[part] or "aucune"
                earlier = [one for one in facts.healthy[part] if one != now]
                doubt = _doubt(part, facts)
                show(f"{host} {part} : {now}{doubt} ; avant : {', '.join(earlier) or 'aucune'}")
    if down:
        raise typer.Exit(1)


def _doubt(part: Part, facts: Facts) -> str:
    now = facts.current[part]
    if not now or facts.serves(part, now):
        return ""
    if facts.back[part]:
        return f" (retour inachevé à {facts.back[part]} ; saine avant : {facts.good[part]})"
    return "" if now in facts.healthy[part] else " (jamais vue saine)"


def probe(
    environment: Environment,
    only: Only = None,
    env_file: File = None,
) -> None:
    """Demande à chaque service en place s'il va bien ; sort en 1 si l'un d'eux ne va pas bien."""
    values = environment_of(environment, env_file)
    there = _sites(environment, values, _ssh(values))
    found = [ill(there, part) for part in _parts(only) if there.having(part)]
    for service, told in (pair for one in found for pair in one.items()):
        say(f"{service} : {told}")
    if any(found):
        raise typer.Exit(1)


def prepare(
    environment: Environment,
    only: Annotated[
        Literal["llm", "api"],
        typer.Option(
            "--only",
            help="llm : télécharge les modèles. api : migre la base, apprend les fiches et les "
            "adresses.",
        ),
    ],
    env_file: File = None,
    version: Version = "",
    images: Images = "",
    folder: Folder = None,
) -> None:
    """Apporte une version aux hôtes et y prépare ses données, pendant que l'ancienne sert."""
    values = _values(environment, env_file, version, images)
    there = _sites(environment, values, _ssh(values))
    with _bundle(there, values, folder) as made:
        prepare_sites(there, made, only)


def _ssh(values: Mapping[str, str]) -> Ssh:
    """Read how machines are reached: a variable of the process wins over the environment's file."""
    here = {name: value for name, value in variables().items() if name.startswith("SSH_")}
    said = {**values, **here}
    key, known, config = (
        _file(name, said) for name in ("SSH_PRIVATE_KEY", "SSH_KNOWN_HOSTS", "SSH_CONFIG")
    )
    # A configuration has its own accounts, which an option of ours would overrule.
    user = said.get("SSH_USER") or ("" if config else default("SSH_USER"))
    return Ssh(user, key, known, config)


def _file(name: str, said: Mapping[str, str]) -> Path | None:
    path = Path(said[name]).expanduser() if said.get(name) else None
    if path and not path.is_file():
        raise EnvironmentInvalid(f"{name} : le fichier « {path} » n'existe pas.")
    return path


def _values(environment: str, env_file: Path | None, version: str, images: str) -> dict[str, str]:
    values = environment_of(environment, env_file)
    said = {"IMAGE_TAG": version, "IMAGE_NAME": images}
    return values | {name: value for name, value in said.items() if value}


@contextmanager
def _bundle(there: Sites, values: Mapping[str, str], folder: Path | None) -> Iterator[Bundle]:
    version = values.get("IMAGE_TAG") or __version__
    if folder is not None:
        yield bundle(there.plan, folder, version)
        return
    with TemporaryDirectory() as made:
        place = Path(made) / "rendered"
        put(files_of(there.plan.environment, values), place)
        yield bundle(there.plan, place, version)


def _sites(
    environment: str, values: Mapping[str, str], ssh: Ssh, wait: float | None = None
) -> Sites:
    planned = plan(environment, values, table_of(values))
    program = values.get("COMPOSE_PROGRAM") or default("COMPOSE_PROGRAM")
    sites = {name: Site(_host(name, ssh), program) for name in planned.hosts}
    return Sites(planned, sites, say, _activate(values), wait)


def _activate(values: Mapping[str, str]) -> Activate:
    if file := values.get("UPSTREAM_FILE"):
        return BehindNginx(file, values.get("UPSTREAM_RELOAD", ""), say)
    return in_turn


def _host(name: str, ssh: Ssh) -> Host:
    return LocalHost() if name == LOCAL else SshHost(name, ssh)


def _parts(only: Part | None) -> Sequence[Part]:
    return (only,) if only else PARTS
