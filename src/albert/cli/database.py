"""``albert db``: the database migrated, saved, put back, looked at."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from albert.api.database.backup.archive import verify
from albert.api.database.backup.folder import prune
from albert.api.database.backup.manifest import Manifest
from albert.api.database.backup.restoring import Restored, refuse_newer
from albert.api.database.backup.restoring import restore as put_back
from albert.api.database.backup.taking import Taken, take
from albert.api.database.check import check_backups, check_database
from albert.api.database.connecting import Address
from albert.api.database.migrate import LATEST
from albert.api.database.upgrade import upgrade
from albert.api.migrations.schema import METADATA
from albert.bootstrap.home import Place
from albert.cli.console import bar, confirmed, say, show, write
from albert.cli.start import place
from albert.domain.errors import BackupInvalid, DatabaseError
from albert.settings import backups_folder

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="La base des réglages (PostgreSQL), que le service tourne ou non. "
    "Par exemple : albert db backup --keep 14",
)

Backup = Annotated[Path, typer.Argument(metavar="fichier", help="Sauvegarde à restaurer.")]
WhileServing = Annotated[
    bool,
    typer.Option(
        "--while-serving", help="Même si des services y sont connectés ; relancez-les après."
    ),
]


@app.command("migrate")
def migrate(
    to: Annotated[
        str, typer.Option("--to", metavar="VERSION", help="Version du schéma, par exemple 0002.")
    ] = LATEST,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Dit ce qui serait fait, ne fait rien.")
    ] = False,
) -> None:
    """Amène le schéma à la version de ce code ; le service le fait aussi, à son démarrage."""
    with place().database() as uri:
        done = asyncio.run(upgrade(uri, to, dry_run=dry_run, tell=say))
    for step in done.steps:
        write(f"{step.version}\t{step.brings}\n")
    if not done.steps:
        say(f"Le schéma est à jour ({done.found}).")
    elif dry_run:
        say(f"À faire, depuis {done.found or 'une base vide'} : rien n'a été changé.")
    else:
        say(f"Le schéma est passé de {done.found or 'rien'} à {done.steps[-1].version}.")


@app.command("backup")
def backup(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="CHEMIN", help="Fichier ou dossier (sinon ALBERT_BACKUPS)."
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=1, help="Garde les N plus récentes, efface les autres après succès."
        ),
    ] = None,
) -> None:
    """Sauvegarde toute la base à un instant, sans arrêter le service."""
    one = place()
    folder = backups_folder(one.settings, one.home)
    if output is None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = (output or folder).expanduser().absolute()
    if keep is not None and not target.is_dir():
        raise BackupInvalid("--keep trie un dossier : donnez à --output un dossier qui existe.")
    if not target.parent.is_dir():
        raise BackupInvalid(f"Le dossier « {target.parent} » n'existe pas : créez-le.")
    with one.database() as uri, bar("sauvegarde", in_bytes=True) as progress:
        taken = asyncio.run(
            take(
                uri,
                target,
                environment=one.settings.env,
                tell=lambda size: progress.at(size, None),
            )
        )
    _tell_taken(taken)
    if keep is not None:
        for old in prune(target, one.settings.env, keep, taken.path):
            say(f"Effacée, au-delà de {keep} : {old.name}")


@app.command("restore")
def restore(
    file: Backup,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remplace ce que la base contient.")
    ] = False,
    from_environment: Annotated[
        str,
        typer.Option(
            "--from-environment",
            metavar="NOM",
            help="Avec --replace, l'ENV de la sauvegarde, si ce n'est pas celui d'ici.",
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ne demande pas de confirmer.")] = False,
    while_serving: WhileServing = False,
) -> None:
    """Restaure une sauvegarde dans une base vide, puis amène son schéma à la version de ce code."""
    one = place()
    manifest = _examined(file)
    if replace:
        _refuse_other(manifest.environment, from_environment or one.settings.env)
        _confirm(_database_of(one), manifest.environment, yes=yes)
    with one.database() as uri, bar("restauration", in_bytes=True) as progress:
        done = asyncio.run(
            put_back(
                uri,
                file,
                manifest,
                METADATA.tables,
                replace=replace,
                while_serving=while_serving,
                tell=progress.at,
                tell_wait=say,
            )
        )
    _tell_restored(done, manifest)


@app.command("check")
def check(
    max_age: Annotated[
        float | None,
        typer.Option(
            "--max-age",
            metavar="HEURES",
            min=0,
            help="Âge au-delà duquel la dernière sauvegarde est trop vieille.",
        ),
    ] = None,
) -> None:
    """Examine la base et sa dernière sauvegarde ; statut 1 si quelque chose ne va pas."""
    one = place()
    at_most = None if max_age is None else timedelta(hours=max_age)
    folder = backups_folder(one.settings, one.home)
    with one.database() as uri:
        findings = asyncio.run(check_database(uri, METADATA.tables))
    findings += asyncio.run(check_backups(folder, one.settings.env, at_most=at_most))
    for finding in findings:
        show(f"{'À VOIR' if finding.trouble else 'bien  '}  {finding.said}")
    if any(finding.trouble for finding in findings):
        raise typer.Exit(1)


def _examined(file: Path) -> Manifest:
    """Read a backup to its end, and say what it is.

    Raises:
        BackupInvalid: it is damaged, or of a schema that this code does not know.
    """
    with bar("vérification", in_bytes=True) as progress:
        manifest = verify(file, progress.at)
    refuse_newer(manifest)
    say(
        f"Sauvegarde de « {manifest.environment} », du "
        f"{manifest.taken_at.astimezone():%Y-%m-%d %H:%M:%S}, Albert "
        f"{manifest.albert}, schéma {manifest.schema_version}, {manifest.rows} lignes."
    )
    return manifest


def _refuse_other(environment: str, expected: str) -> None:
    """Refuse to replace the data of one environment by those of another.

    Raises:
        BackupInvalid
    """
    if environment != expected:
        raise BackupInvalid(
            f"Cette sauvegarde est de l'environnement « {environment} », et non de "
            f"« {expected} » : si c'est bien elle, ajoutez --from-environment {environment}."
        )


def _database_of(one: Place) -> str:
    """Say which database the settings name, without what is secret in its address."""
    if not (address := one.settings.database_address):
        return f"la base embarquée de « {one.home.root} »"
    at = Address.of(address)
    return f"la base « {at.name} » de {at.host}"


def _confirm(database: str, environment: str, *, yes: bool) -> None:
    """Name what cannot be undone, and ask before it.

    Raises:
        DatabaseError: there is nobody to ask.
    """
    said = f"tout ce que contient {database} par la sauvegarde de « {environment} »"
    if yes:
        say(f"Remplace {said}.")
        return
    if not sys.stdin.isatty():
        raise DatabaseError(f"--replace remplace {said} : confirmez par --yes.")
    if not confirmed(f"Remplacer {said} ?"):
        say("Rien n'est remplacé.")
        raise typer.Exit(1)


def _tell_taken(taken: Taken) -> None:
    for name, rows in taken.manifest.tables.items():
        say(f"  {name} : {rows}")
    say(
        f"{taken.manifest.rows} lignes, {taken.manifest.size} octets, schéma "
        f"{taken.manifest.schema_version}. Elle contient les questions des usagers : gardez-la "
        "comme la base."
    )
    show(str(taken.path))


def _tell_restored(done: Restored, manifest: Manifest) -> None:
    for name, rows in done.tables.items():
        write(f"{name}\t{rows}\n")
    say(f"Restauré : chaque table a les lignes du {manifest.taken_at.astimezone():%Y-%m-%d %H:%M}.")
    for step in done.steps:
        say(f"Schéma amené à {step.version} : {step.brings}")
    for name in done.late:
        say(f"La séquence {name} était en retard : elle ne l'est plus.")
    if done.returned:
        say(f"Revenus, bien qu'effacés depuis la sauvegarde : {', '.join(done.returned)}.")
    if done.valid_again:
        say(f"Jetons valides, bien que révoqués depuis : {', '.join(done.valid_again)}.")
    for grant in done.lost:
        say(f"Droit d'un autre compte, qui n'a plus d'objet : {grant}")
    say("Refaites les effacements d'après : « albert user erase », « albert privacy purge ».")
    say(
        "Les jetons, les mots de passe et les droits d'administrateur sont ceux de la "
        "sauvegarde : retirez de nouveau ceux qui l'ont été depuis (« albert user --help »)."
    )
