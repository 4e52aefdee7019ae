"""Settings become objects here: the one place that chooses implementations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from functools import cached_property
from pathlib import Path

from albert import __version__
from albert.assistant.contract import Answerer
from albert.assistant.extractive import ExtractiveAnswerer
from albert.assistant.generative import ModelAnswerer
from albert.assistant.guarded import GuardedAnswerer
from albert.assistant.scope import LearnedScope, Scope
from albert.assistant.titles import ModelTitler, Titler, title_of
from albert.bootstrap.answerers import TableAnswerers
from albert.bootstrap.home import Place
from albert.bootstrap.models import Models
from albert.bootstrap.prompts import Prompts
from albert.bootstrap.table import DRIVERS, fleet_of, name_of, table_of
from albert.corpus.current import Corpus
from albert.corpus.store import CorpusStore
from albert.domain.documents import ANSWERING, SourceName
from albert.guard.followed import FollowedWhitelist
from albert.guard.learning import learn
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist
from albert.index.engines.embedded import EmbeddedEngine
from albert.inference.e5 import E5Embedder
from albert.lexicon.followed import FollowedLexicon
from albert.prompt.templated import TemplatePrompter
from albert.retrieval.hybrid import HybridRetriever
from albert.retrieval.library import CorpusLibrary
from albert.routing.chat_model import RoutedChatModel
from albert.routing.dispatch import Dispatcher
from albert.routing.route import Route
from albert.routing.table import DriverName, RoutedModel, RoutingTable
from albert.serving.engines.contract import Driver
from albert.serving.patience import Patience
from albert.serving.store import ModelStore
from albert.serving.supervisor import Supervisor
from albert.settings import Settings, environment, models_folder


class Albert(Place):
    """Everything that answers, made on first use from one set of settings."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
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
    def lexicon(self) -> FollowedLexicon:
        return FollowedLexicon(self.home.lexicon)

    @cached_property
    def whitelist(self) -> FollowedWhitelist:
        """The addresses that a model may write.

        Raises:
            SettingInvalid: the operator's own list cannot be read.
        """
        return FollowedWhitelist(self.home.whitelist, own=self.settings.whitelist)

    def learn_whitelist(self, *, force: bool = False) -> Whitelist:
        """Learn the addresses of the corpus, unless that was done with this very one.

        Raises:
            CorpusMissing, CorpusError, HomeError, DiskFull
        """
        with self.store() as store:
            made_from = store.inputs
            have = Whitelist.load(self.home.whitelist)
            if not force and have.made_from == made_from:
                return have
            learnt = learn(store.sheets(), store.institutions(), made_from=made_from)
        learnt.save(self.home.whitelist)
        return learnt

    @cached_property
    def retriever(self) -> HybridRetriever:
        return HybridRetriever(self.engine, self.embedder, expand=self.lexicon.expand)

    @cached_property
    def library(self) -> CorpusLibrary:
        return CorpusLibrary(self.home.corpus, self.engine)

    @property
    def answering_sources(self) -> frozenset[SourceName]:
        """The sources that answers come from: the State's own words, not its users'."""
        return ANSWERING

    def check_model(self, name: str = "") -> None:
        """See at once whether the table, and the model of the settings, or ``name``, can be served.

        Raises:
            TableInvalid, ModelFileInvalid, SettingInvalid
        """
        table_of(self.settings, name)

    @asynccontextmanager
    async def models(self, name: str = "", *, launching: bool = True) -> AsyncIterator[Models]:
        """Launch the engines of this machine, and give all that answers.

        ``name`` is a model of the table, a GGUF file, or a model served at the address of
        the settings. The engine of a file is waited for; those of the table start meanwhile.
        Where we are not ``launching``, other services of this machine have them, each at
        the port of its replica.

        Raises:
            TableInvalid, ModelFileInvalid, InferenceError, SettingInvalid: one cannot be started.
        """

        def read() -> RoutingTable:
            return table_of(self.settings, name)

        table, named = read(), name_of(self.settings, name)
        if len(table):
            self.whitelist.current()  # a mistake in the operator's list stops the start
        alone = not self.settings.routing_table
        patience = Patience(start=180.0, attempts=1) if alone else Patience()
        async with self.supervisor(patience, DRIVERS if launching else {}) as supervisor:
            await (supervisor.start(table) if alone else supervisor.reconcile(table))
            dispatcher = Dispatcher(fleet_of(self.settings, table, supervisor.engines))
            prompts = Prompts(dispatcher, self._folder if launching else lambda _: None)
            await dispatcher.open()
            await prompts.start()
            try:
                yield Models(
                    answerers=self._answerers(dispatcher, prompts),
                    dispatcher=dispatcher,
                    named=named,
                    prompts=prompts,
                    titler=self._titler(dispatcher, prompts),
                    supervisor=supervisor,
                    table=read,
                )
            finally:
                await prompts.stop()
                await dispatcher.close()

    def _answerers(self, dispatcher: Dispatcher, prompts: Prompts) -> TableAnswerers:
        def make(model: str) -> Answerer:
            return self._answerer(dispatcher, prompts, model)

        return TableAnswerers(dispatcher.fleet, make, self.extractive())

    def _folder(self, route: Route) -> Path | None:
        """Return the folder of a model's weights where this process launched its engine."""
        if route.model.driver not in DRIVERS or all(one.host for one in route.model.replicas):
            return None
        weights = self.weights(route.model)
        return weights if weights.is_dir() else weights.parent

    def _chat(self, dispatcher: Dispatcher, model: str, prompts: Prompts) -> RoutedChatModel:
        return RoutedChatModel(
            dispatcher,
            model,
            window=self.settings.model_window,
            raw=lambda: prompts.raw(model),
        )

    def _answerer(self, dispatcher: Dispatcher, prompts: Prompts, model: str) -> Answerer:
        answerer = ModelAnswerer(
            self.retriever,
            TemplatePrompter(lambda: prompts.modes(model)),
            self._chat(dispatcher, model, prompts),
            newest=self.corpus.newest,
        )
        return GuardedAnswerer(answerer, AddressGuard(self.whitelist.current))

    def _titler(self, dispatcher: Dispatcher, prompts: Prompts) -> Titler:
        """Return what entitles questions: the first language model of the table, if any."""

        async def title(question: str) -> str:
            first = next(
                (r.model.name for r in dispatcher.fleet if r.model.type == "text-generation"), ""
            )
            if not first:
                return title_of(question)
            return await ModelTitler(self._chat(dispatcher, first, prompts)).title(question)

        return title

    def weights(self, model: RoutedModel) -> Path:
        """Return where the weights of ``model`` lie: a file, or the folder of its repository.

        Raises:
            ModelNotDownloaded, ModelFileInvalid
        """
        return ModelStore(models_folder(self.settings, self.home)).find(model)

    def supervisor(
        self,
        patience: Patience = Patience(),
        drivers: Mapping[DriverName, Driver] = DRIVERS,
    ) -> Supervisor:
        """Return what launches the engines of a table on this machine: those of ``drivers``."""
        return Supervisor(
            drivers,
            weights=self.weights,
            logs=self.home.logs / "engines",
            environment=environment(),
            patience=patience,
        )

    def extractive(self, scope: Scope | None = None) -> ExtractiveAnswerer:
        """The answerer that needs no language model; ``scope`` says what it may answer."""
        return ExtractiveAnswerer(
            self.retriever,
            self.embedder,
            scope=scope or LearnedScope.load(),
            newest=self.corpus.newest,
        )
