"""The models on disk beside those of the routing table: what is there, routed, running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from albert.routing.table import RoutedModel
from albert.serving.downloads.download import Wanted, wanted_by
from albert.serving.running import State
from albert.serving.store import ModelStore, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model on disk, or one that the table names. ``size`` in bytes; empty where not known."""

    repo_id: str = ""
    revision: str = ""
    commit: str = ""
    kind: str = ""
    size: int = 0
    path: str = ""
    whole: bool = False
    """Whether every file is there, at its size."""
    routed: Mapping[str, tuple[State, ...]]
    """By name in the table, the state of each replica."""


def inventory(
    store: ModelStore, models: Sequence[RoutedModel], states: Sequence[tuple[State, ...]]
) -> list[Entry]:
    """Return what is on disk, then what the table names and the store does not have.

    Raises:
        HomeTooNew, ModelFileInvalid: a manifest cannot be read.
    """
    entries = {stored.folder: _present(stored) for stored in store.list()}
    others: list[Entry] = []
    for model, state in zip(models, states, strict=True):
        routed = {model.name: state}
        wanted = list(wanted_by(model))
        for each in wanted:
            stored = store.locate(each.repo_id, each.revision, each.file)
            if stored is None:
                others.append(_absent(each, routed))
            else:
                entry = entries[stored.folder]
                entries[stored.folder] = replace(entry, routed={**entry.routed, **routed})
        if not wanted:
            others.append(_own(model, routed))
    return [*entries.values(), *others]


def _present(stored: Stored) -> Entry:
    manifest = stored.manifest
    return Entry(
        repo_id=manifest.repo_id,
        revision=manifest.revision,
        commit=manifest.commit,
        kind=manifest.kind,
        size=manifest.size,
        path=str(stored.path),
        whole=not stored.missing(),
        routed={},
    )


def _absent(wanted: Wanted, routed: Mapping[str, tuple[State, ...]]) -> Entry:
    return Entry(repo_id=wanted.repo_id, revision=wanted.revision, routed=routed)


def _own(model: RoutedModel, routed: Mapping[str, tuple[State, ...]]) -> Entry:
    """Return a model that comes from no hub: a file of the operator's, or served elsewhere."""
    path = Path(model.file).expanduser() if model.file else None
    if path is None or not path.exists():
        return Entry(path=model.file, routed=routed)
    size = path.stat().st_size if path.is_file() else sum(_sizes(path))
    return Entry(path=str(path), size=size, whole=True, routed=routed)


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
