"""The engines of this machine: their program, their options, and the weights that they load."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from albert.bootstrap.table import DRIVERS
from albert.deploy.checks.access import closed, unseen
from albert.deploy.checks.apart import apart
from albert.deploy.checks.finding import Finding, error, ok, warning
from albert.deploy.checks.machine import Machine
from albert.domain.errors import InferenceError, ModelFileInvalid, ModelNotDownloaded
from albert.routing.table import RoutedModel
from albert.serving.engines.contract import Order
from albert.serving.store import ModelStore


async def check_engines(machine: Machine) -> list[Finding]:
    store = ModelStore(machine.storage)
    models = [service.model for service in machine.kinds("llm") if service.model is not None]
    return list(await asyncio.gather(*(apart(partial(_look, store, model)) for model in models)))


def _look(store: ModelStore, model: RoutedModel) -> Finding:
    if wall := unseen(store.folder if model.hf_repo_id else Path(model.file).expanduser()):
        return closed(wall)
    try:
        weights = store.find(model)
    except ModelNotDownloaded:
        return ok(f"« {model.name} » sera vérifié une fois téléchargé.")
    except InferenceError as refused:
        return error(str(refused))
    try:
        DRIVERS[model.driver].check(Order(model=model, weights=weights, port=0, key=""))
    except ModelFileInvalid as refused:
        return error(str(refused))
    except InferenceError as refused:
        return warning(str(refused), "Sans objet si un conteneur sert ce modèle.")
    return ok(f"« {model.name} » : ses poids sont entiers, et {model.driver} est installé.")


def weight(store: ModelStore, model: RoutedModel) -> int | None:
    """Return the bytes of the weights that an engine loads; ``None`` where they are not known."""
    if not model.hf_repo_id:
        return _own(Path(model.file).expanduser())
    try:
        stored = store.locate(model.hf_repo_id, model.revision, model.file)
    except InferenceError:
        return None
    if stored is None:
        return None
    loaded = set(stored.manifest.weights)
    return sum(file.size for file in stored.manifest.files if file.path in loaded)


def _own(path: Path) -> int | None:
    files = [path] if path.is_file() else list(path.glob("*.safetensors"))
    return sum(file.stat().st_size for file in files) or None
