"""The data that is on this machine, and what a corpus is built from."""

from __future__ import annotations

from pathlib import Path

from albert.corpus.build import Inputs
from albert.corpus.catalog import DATASETS
from albert.corpus.install import Place
from albert.corpus.manifest import Manifest


def manifests(sources: Path) -> list[Manifest]:
    """Return what is installed of each data set, in the order of the catalogue.

    Raises:
        CorpusError: a manifest is damaged.
    """
    found = (Place(sources, dataset.name).manifest() for dataset in DATASETS.values())
    return [manifest for manifest in found if manifest is not None]


def corpus_inputs(sources: Path) -> list[Inputs]:
    """Return the data that a corpus can be built from."""
    return [
        Inputs(
            manifest.dataset,
            Place(sources, manifest.dataset).data,
            version="+".join(piece.sha256 or piece.address for piece in manifest.pieces),
            origin=manifest.origin,
        )
        for manifest in manifests(sources)
    ]
