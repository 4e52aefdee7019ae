"""Room on the disks: for the data, their backups, and the models that are still to come."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from albert.deploy.checks.access import closed, may, unseen
from albert.deploy.checks.apart import apart
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine
from albert.deploy.systemd.installation import state
from albert.domain.errors import AlbertError
from albert.serving.downloads.download import Wanted, told_size, wanted_by
from albert.serving.downloads.hub import Hub
from albert.serving.downloads.listing import choose
from albert.serving.store import ModelStore
from albert.settings import backups_folder

_LITTLE, _TOO_LITTLE = 5 * 10**9, 10**9
"""Bytes: the sheets, their index and the vectors take some two gigabytes, twice during a swap."""
_HUB_SECONDS = 6.0


async def check_disk(machine: Machine) -> list[Finding]:
    found = [await apart(lambda: _room("ALBERT_HOME", machine.home.root))]
    if machine.kinds("api") and machine.settings.backups:
        backups = backups_folder(machine.settings, machine.home)
        found.append(await apart(lambda: _room("ALBERT_BACKUPS", backups)))
    if not machine.kinds("llm"):
        return found
    return [*found, *await _models(machine)]


def _room(variable: str, folder: Path) -> Finding:
    wall = unseen(folder)
    if wall and wall != folder:
        return closed(wall)
    there = _existing(folder)
    to_come = there != folder and state(str(_first_of(folder, there)))
    if not to_come and not _may_write(there):
        return error(
            f"{variable} : ce compte ne peut pas écrire dans « {there} ».",
            f"Changez {variable}, ou les droits de ce dossier.",
        )
    free = shutil.disk_usage(there).free
    said = f"{variable} : {told_size(free)} libres dans « {folder} »"
    said += ", que systemd créera pour le compte qui sert." if to_come else "."
    remedy = f"Libérez de la place, ou changez {variable}."
    if free < _TOO_LITTLE:
        return error(said, remedy)
    return warning(said, remedy) if free < _LITTLE else ok(said)


def _may_write(folder: Path) -> bool:
    """Whether who serves may write there: the folder's owner, or who asks if that is root."""
    about = folder.stat()
    if about.st_uid not in (0, os.geteuid()):
        return stat.S_ISDIR(about.st_mode) and about.st_mode & 0o300 == 0o300
    return stat.S_ISDIR(about.st_mode) and may(folder, os.W_OK | os.X_OK)


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())


def _first_of(folder: Path, there: Path) -> Path:
    """Return the first folder of a path that is not there yet."""
    return there / folder.relative_to(there).parts[0]


async def _models(machine: Machine) -> list[Finding]:
    """Judge the store of the models; one that has them all need only be read."""
    if wall := await apart(lambda: unseen(machine.storage)):
        return [closed(wall)]
    absent = await apart(lambda: dict(_absent(machine)))
    if not absent and await apart(machine.storage.is_dir):
        return [ok(f"STORAGE_PATH : chaque modèle de la table est dans « {machine.storage} ».")]
    room = await apart(lambda: _room("STORAGE_PATH", machine.storage))
    return [room, *await _to_come(machine, absent)]


async def _to_come(machine: Machine, absent: dict[str, Wanted]) -> list[Finding]:
    """Say which models are not on the disk yet, and whether there is room for them."""
    if machine.settings.hf_offline:
        return [
            error(
                f"« {name} » manque sur le disque, et HF_HUB_OFFLINE interdit de le télécharger.",
                f"Copiez-le dans « {machine.storage} », ou retirez HF_HUB_OFFLINE.",
            )
            for name in absent
        ]
    sizes = await asyncio.gather(*(_size(machine, wanted) for wanted in absent.values()))
    free = await apart(lambda: shutil.disk_usage(_existing(machine.storage)).free)
    known = sum(size for size in sizes if size is not None)
    if known > free:
        return [
            error(
                f"Les modèles à télécharger ({', '.join(absent)}) font {told_size(known)}, et il "
                f"reste {told_size(free)} dans « {machine.storage} ».",
                "Libérez de la place, ou changez STORAGE_PATH.",
            )
        ]
    return [
        warning(
            f"« {name} » n'est pas encore sur le disque "
            f"({'taille inconnue' if size is None else told_size(size)}).",
            f"albert models download {name}",
        )
        for name, size in zip(absent, sizes, strict=True)
    ]


def _absent(machine: Machine) -> Iterator[tuple[str, Wanted]]:
    store = ModelStore(machine.storage)
    for service in machine.kinds("llm"):
        model = service.model
        if model is None or not model.hf_repo_id:
            continue
        try:
            here = store.locate(model.hf_repo_id, model.revision, model.file)
        except AlbertError:
            continue  # what is there is judged with the engine
        if here is None:
            yield model.name, next(wanted_by(model))


async def _size(machine: Machine, wanted: Wanted) -> int | None:
    """Ask the hub how many bytes will come; ``None`` where it does not say in time."""
    settings = machine.settings
    hub = Hub(settings.hf_endpoint, settings.hf_token.get_secret_value(), pauses=())

    def ask() -> int:
        listing = hub.listing(wanted.repo_id, wanted.revision)
        chosen = choose(listing, file=wanted.file, form=wanted.form)
        return sum(file.size for file in chosen.files)

    try:
        async with asyncio.timeout(_HUB_SECONDS):
            return await apart(ask)
    except (AlbertError, OSError):  # a TimeoutError is an OSError
        return None
