"""``albert models download`` and ``albert models list``: what models are on disk."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import orjson
import typer

from albert.bootstrap.albert import Albert
from albert.cli.console import bar, say, show
from albert.cli.start import albert
from albert.domain.errors import ModelNotFound, ModelUnavailable, RequestError, TableInvalid
from albert.routing.reading import read
from albert.routing.table import RoutingTable
from albert.serving.downloads.download import Wanted, download, told_size, wanted_by
from albert.serving.downloads.hub import Hub
from albert.serving.inventory import Entry, inventory
from albert.serving.running import states
from albert.serving.store import ModelStore
from albert.settings import Settings, models_folder

StorageDir = Annotated[
    Path | None,
    typer.Option("--storage-dir", help="Dossier des modèles ; sans lui, celui de STORAGE_PATH."),
]

File = Annotated[
    str, typer.Option(metavar="F", help="Le fichier GGUF à prendre, s'il y en a plusieurs.")
]
Revision = Annotated[str, typer.Option(metavar="R", help="Branche, étiquette ou commit du dépôt.")]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Redemande au dépôt : rapporte ce qui y a changé, ou n'est plus intact ici."
    ),
]
AllowPickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle", help="Accepte des poids qui exécutent un programme en s'ouvrant."
    ),
]


def download_models(
    name: Annotated[
        str, typer.Argument(metavar="[NOM]", help="Un modèle de la table de routage.")
    ] = "",
    hf_repo_id: Annotated[
        str, typer.Option(metavar="ID", help="Un dépôt, comme AgentPublic/albert-light.")
    ] = "",
    file: File = "",
    revision: Revision = "",
    storage_dir: StorageDir = None,
    force: Force = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Télécharge un modèle, ou tous ceux de la table : se reprend, se vérifie, s'installe entier.

    Un modèle déjà là et intact n'est pas redemandé.
    """
    one = albert()
    if hf_repo_id and name:
        raise RequestError("Donnez un modèle de la table, ou --hf-repo-id : pas les deux.")
    if hf_repo_id:
        wanted = [Wanted(repo_id=hf_repo_id, revision=revision, file=file, force=force)]
    elif name:
        wanted = _named(_table(one), name, file=file, revision=revision)
    elif file or revision:
        raise RequestError("--file et --revision disent un seul modèle : nommez-le.")
    else:
        wanted = of_table(one)
    given = [replace(each, force=force or each.force) for each in wanted]
    bring_all(one, given, storage_dir, allow_pickle=allow_pickle)


def of_table(one: Albert) -> list[Wanted]:
    """Return all that the table of the settings needs of a hub.

    Raises:
        TableInvalid: there is none, or it is ill-formed.
    """
    return [wanted for model in _table(one) for wanted in wanted_by(model)]


def _named(table: RoutingTable, name: str, *, file: str, revision: str) -> list[Wanted]:
    model = table.find(name)
    if model is None:
        known = ", ".join(one.name for one in table)
        raise ModelNotFound(f"Le modèle « {name} » n'est pas dans la table, qui a : {known}.")
    if revision not in ("", model.revision):
        raise RequestError(
            f"La table veut « {name} » à la révision « {model.revision or 'principale'} » : "
            "corrigez-la, ou donnez --hf-repo-id."
        )
    wanted = list(wanted_by(model))
    if not wanted:
        raise ModelUnavailable(f"« {name} » ne vient d'aucun dépôt : la table n'en nomme pas.")
    if file:
        wanted[0] = replace(wanted[0], file=file)
    return wanted


def bring_all(
    one: Albert, wanted: list[Wanted], storage_dir: Path | None, *, allow_pickle: bool = False
) -> None:
    """Download one model after the other, and say where each one is."""
    store, hub = ModelStore(_folder(one, storage_dir)), _hub(one.settings)
    for each in wanted:
        label = " ".join(part for part in (each.repo_id, each.revision, each.file) if part)
        with bar(label, in_bytes=True) as line:
            done = download(each, store, hub, progress=line.at, allow_pickle=allow_pickle)
        what = "téléchargé" if done.changed else "déjà là"
        size = told_size(done.stored.manifest.size)
        say(f"  {label} : {what}, {size}, {done.stored.path}")
    if not wanted:
        say("Aucun modèle de la table ne vient d'un dépôt : rien à télécharger.")


def list_models(
    storage_dir: StorageDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Montre les modèles : leur place, leur taille, ceux que la table sert, ceux qui répondent."""
    one = albert()
    store = ModelStore(_folder(one, storage_dir))
    models = list(_table(one)) if one.settings.routing_table else []
    entries = inventory(store, models, asyncio.run(states(models)))
    if as_json:
        show(orjson.dumps(entries, option=orjson.OPT_INDENT_2).decode())
        return
    for entry in entries:
        show(_line(entry))
    if not entries:
        say(f"Aucun modèle dans « {store.folder} » : albert models download.")


def _line(entry: Entry) -> str:
    """Return a model as a line: what, how big, where, who it is to the table, whether it runs."""
    what = " ".join(part for part in (entry.repo_id, entry.revision) if part)
    if entry.path:
        here = [told_size(entry.size), entry.kind, entry.path]
        if not entry.whole:
            here.append("incomplet" if entry.commit else "introuvable")
    else:
        here = ["pas sur le disque" if entry.repo_id else "servi ailleurs"]
    routed = [f"{name} ({', '.join(states)})" for name, states in entry.routed.items()]
    named = f"{what} : " if what else ""
    told = named + ", ".join(part for part in here if part)
    return told + (f" ; routé : {', '.join(routed)}" if routed else " ; non routé")


def _table(one: Albert) -> RoutingTable:
    if not one.settings.routing_table:
        raise TableInvalid(
            "Aucune table de routage : nommez un dépôt (--hf-repo-id), ou dites dans "
            "ALBERT_ROUTING_TABLE où est la table."
        )
    return read(Path(one.settings.routing_table))


def _folder(one: Albert, given: Path | None) -> Path:
    return given.expanduser().absolute() if given else models_folder(one.settings, one.home)


def _hub(settings: Settings) -> Hub | None:
    if settings.hf_offline:
        return None
    return Hub(settings.hf_endpoint, settings.hf_token.get_secret_value())
