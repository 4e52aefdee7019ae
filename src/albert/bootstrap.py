"""Settings become objects here: the one place that chooses implementations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path

from albert import __version__
from albert.assistant.contract import Answerer
from albert.assistant.extractive import ExtractiveAnswerer
from albert.assistant.generative import ModelAnswerer
from albert.assistant.scope import LearnedScope
from albert.corpus.build import Inputs
from albert.corpus.catalog import DATASETS
from albert.corpus.install import Place
from albert.corpus.manifest import Manifest
from albert.corpus.report import BuildReport
from albert.corpus.store import CorpusStore
from albert.domain.errors import CorpusError, CorpusMissing, DiskFull, HomeError, HomeTooNew
from albert.index.engines.embedded import EmbeddedEngine
from albert.inference.contract import ChatModel
from albert.inference.e5 import E5Embedder
from albert.lexicon.acronyms import Lexicon
from albert.prompt.template import TemplatePrompter
from albert.retrieval.hybrid import HybridRetriever
from albert.settings import Home, Settings

FORMAT = 1
"""Of the data folder; a folder of a later format is left alone."""


def open_home(settings: Settings) -> Home:
    """Make the data folder if there is none, and see that we may use it.

    Raises:
        HomeTooNew, HomeError, DiskFull
    """
    home = Home(settings.home.expanduser().absolute())
    try:
        home.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not home.format.exists():
            home.format.write_text(f"{FORMAT}\n", "ascii")
        found = home.format.read_text("ascii").strip()
    except OSError as error:
        if error.errno == 28:
            raise DiskFull from error
        raise HomeError(
            f"Le dossier de données {str(home.root)!r} est inutilisable ({error.strerror}) : "
            "changez ALBERT_HOME ou ses droits."
        ) from error
    if not found.isdigit():
        raise HomeError(
            f"{str(home.root)!r} n'est pas un dossier de données d'Albert : changez ALBERT_HOME."
        )
    if int(found) > FORMAT:
        raise HomeTooNew
    return home


def manifests(home: Home) -> list[Manifest]:
    """Return what is installed of each data set, in the order of the catalogue.

    Raises:
        CorpusError: a manifest is damaged.
    """
    found = (Place(home.sources, dataset.name).manifest() for dataset in DATASETS.values())
    return [manifest for manifest in found if manifest is not None]


def corpus_inputs(home: Home) -> list[Inputs]:
    """Return the data that a corpus can be built from."""
    return [
        Inputs(
            manifest.dataset,
            Place(home.sources, manifest.dataset).data,
            version="+".join(piece.sha256 or piece.address for piece in manifest.pieces),
            origin=manifest.origin,
        )
        for manifest in manifests(home)
    ]


class Corpus:
    """The corpus that is served now, followed from one build to the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._report = BuildReport()

    @property
    def report(self) -> BuildReport:
        """What the current corpus holds; empty where there is none."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return BuildReport()
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            try:
                with closing(CorpusStore(self._path)) as store:
                    self._report = store.report
            except CorpusMissing:
                self._report = BuildReport()
            self._stamp = stamp
        return self._report

    def newest(self) -> Mapping[str, str]:
        """Return the newest date (ISO 8601) of each source that has sheets."""
        return {source.source: source.newest for source in self.report.sources if source.sheets}


class Albert:
    """Everything that answers, made on first use from one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = open_home(settings)
        self.version = __version__
        self.corpus = Corpus(self.home.corpus)

    @contextmanager
    def store(self) -> Iterator[CorpusStore]:
        """Open the corpus for a while.

        Raises:
            CorpusMissing, CorpusError
        """
        with closing(CorpusStore(self.home.corpus)) as store:
            yield store

    @cached_property
    def embedder(self) -> E5Embedder:
        return E5Embedder(threads=self.settings.embed_threads)

    @cached_property
    def engine(self) -> EmbeddedEngine:
        return EmbeddedEngine(
            self.home.index, model=E5Embedder.fingerprint, dimension=E5Embedder.dimension
        )

    @cached_property
    def lexicon(self) -> Lexicon:
        return Lexicon.load(self.home.lexicon)

    @cached_property
    def retriever(self) -> HybridRetriever:
        return HybridRetriever(self.engine, self.embedder, expand=self.lexicon.expand)

    def extractive(self) -> ExtractiveAnswerer:
        """The answerer that needs no language model."""
        return ExtractiveAnswerer(
            self.retriever, self.embedder, scope=LearnedScope.load(), newest=self.corpus.newest
        )

    def with_model(self, model: ChatModel) -> Answerer:
        """An answerer whose words are a language model's."""
        return ModelAnswerer(
            self.retriever, TemplatePrompter(), model, newest=self.corpus.newest
        )
