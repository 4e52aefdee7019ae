"""Settings become objects here: the one place that chooses implementations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import aiohttp

from albert import __version__
from albert.assistant.contract import EXTRACTIVE, Answerer
from albert.assistant.extractive import ExtractiveAnswerer
from albert.assistant.generative import ModelAnswerer
from albert.assistant.guarded import GuardedAnswerer
from albert.assistant.scope import LearnedScope, Scope
from albert.assistant.titles import ModelTitler, Titler
from albert.corpus.current import Corpus
from albert.corpus.store import CorpusStore
from albert.domain.documents import ANSWERING, SourceName
from albert.domain.errors import HomeError, HomeTooNew, SettingInvalid
from albert.domain.mishaps import mishap
from albert.guard.followed import FollowedWhitelist
from albert.guard.learning import learn
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist
from albert.index.engines.embedded import EmbeddedEngine
from albert.inference.e5 import E5Embedder
from albert.inference.openai_compatible import OpenAIChatModel
from albert.lexicon.lexicon import Lexicon
from albert.lexicon.lexicon import load as load_lexicon
from albert.prompt.templated import TemplatePrompter
from albert.retrieval.hybrid import HybridRetriever
from albert.retrieval.library import CorpusLibrary
from albert.routing.table import Engine, RoutedModel
from albert.serving.embedded_postgres import EmbeddedPostgres
from albert.serving.engines.llama_cpp import LlamaCppDriver
from albert.serving.gguf import examine
from albert.serving.patience import Patience
from albert.serving.supervisor import Supervisor
from albert.serving.weights import located
from albert.settings import Home, Settings, environment

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
        found = home.format.read_text("ascii") if home.format.exists() else ""
        if not found:  # new, or the disk was full when it was made
            found = f"{FORMAT}\n"
            home.format.write_text(found, "ascii")
    except OSError as error:
        raise mishap(error) from error
    except UnicodeDecodeError:
        found = ""
    if not found.strip().isdecimal():
        raise HomeError(
            f"« {home.root} » n'est pas un dossier de données d'Albert : changez ALBERT_HOME."
        )
    if int(found) > FORMAT:
        raise HomeTooNew
    return home


@dataclass(frozen=True, slots=True)
class Served:
    """Where a language model answers in OpenAI's form; ``window`` in tokens."""

    name: str
    base_url: str
    model: str
    key: str = field(repr=False)
    window: int
    extra: Mapping[str, object] = field(default_factory=dict)
    """What each request must say besides, for this engine."""


@dataclass(frozen=True, slots=True)
class Models:
    """All that answers, by name, which of them answers by default, and the models behind."""

    answerers: Mapping[str, Answerer]
    default: str
    served: tuple[Served, ...]
    titler: Titler | None = None
    """Entitles a question, where a language model is there to do it."""


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

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the address of PostgreSQL: the operator's, or one that runs for the block.

        Raises:
            DatabaseError, HomeError, DiskFull
        """
        if address := self.settings.database_address:
            yield address
            return
        with EmbeddedPostgres(self.home.postgres) as server:
            yield server.uri

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
        return load_lexicon(self.home.lexicon)

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
        """See at once whether the model of the settings, or ``name``, can be served.

        Raises:
            ModelFileInvalid: the file is no model.
            SettingInvalid: a name, and no address where it is served.
        """
        wanted = name or self.settings.model
        if wanted in ("", EXTRACTIVE) or self._elsewhere(wanted):
            return
        if Path(wanted).suffix != ".gguf" and not Path(wanted).exists():
            raise SettingInvalid(
                f"Le modèle « {wanted} » n'est pas un fichier .gguf : donnez-en un, ou dites "
                "dans ALBERT_MODEL_URL à quelle adresse il est servi."
            )
        examine(Path(wanted))

    def _elsewhere(self, wanted: str) -> bool:
        """Whether a model is served at the address of the settings."""
        return bool(self.settings.model_url) and Path(wanted).suffix != ".gguf"

    @asynccontextmanager
    async def models(self, name: str = "") -> AsyncIterator[Models]:
        """Start the language model of the settings, or ``name``, and give all that answers.

        ``name`` is a GGUF file, or a model served at the address of the settings;
        without any, and for ``"albert-extractif"``, extraction answers alone.

        Raises:
            ModelFileInvalid, InferenceError, SettingInvalid: the model cannot be started.
        """
        self.check_model(name)
        extractive = self.extractive()
        wanted = name or self.settings.model
        async with AsyncExitStack() as stack:
            if wanted in ("", EXTRACTIVE):
                yield Models({EXTRACTIVE: extractive}, EXTRACTIVE, ())
                return
            self.whitelist.current()  # a mistake in the operator's list stops the start
            served = await self._served(wanted, stack)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            chat = OpenAIChatModel(
                served.base_url,
                served.model,
                key=served.key,
                window=served.window,
                session=session,
                extra=served.extra,
            )
            answerer = ModelAnswerer(
                self.retriever, TemplatePrompter(), chat, newest=self.corpus.newest
            )
            guarded = GuardedAnswerer(answerer, AddressGuard(self.whitelist.current))
            yield Models(
                {served.name: guarded, EXTRACTIVE: extractive},
                served.name,
                (served,),
                ModelTitler(chat).title,
            )

    async def _served(self, wanted: str, stack: AsyncExitStack) -> Served:
        settings = self.settings
        path = Path(wanted)
        if self._elsewhere(wanted):
            key = settings.model_key.get_secret_value()
            return Served(wanted, settings.model_url, wanted, key, settings.model_window)
        model = RoutedModel(
            name=path.stem,
            driver="llama.cpp",
            file=wanted,
            engine=Engine(context=settings.model_window, threads=2),
        )
        supervisor = self.supervisor(Patience(start=180.0, attempts=1))
        await stack.enter_async_context(supervisor)
        await supervisor.start([model])
        engine = supervisor.engines[model.name]
        return Served(
            *(model.name, engine.base_url, model.upstream_name, engine.key),
            *(engine.window, engine.request_extra),
        )

    def weights(self, model: RoutedModel) -> Path:
        """Return where the weights of ``model`` lie: a file, or the folder of its repository.

        Raises:
            ModelFileInvalid: they are not on this machine.
        """
        storage = self.settings.storage_path
        return located(model, Path(storage).expanduser() if storage else self.home.models)

    def supervisor(self, patience: Patience = Patience()) -> Supervisor:
        """Return what launches the engines of a table on this machine."""
        return Supervisor(
            {"llama.cpp": LlamaCppDriver()},
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
