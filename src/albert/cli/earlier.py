"""``pyalbert``: the same program under the verbs of the first generation."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from albert.bootstrap.albert import Albert
from albert.cli.console import say
from albert.cli.downloads import bring_all, of_table
from albert.cli.french import start as start_program
from albert.cli.index import told
from albert.cli.learn import fetch_all, learn_corpus, learn_vectors, learn_words
from albert.cli.main import run
from albert.cli.start import albert
from albert.cli.up import start
from albert.cli.whitelist import told as told_whitelist
from albert.domain.documents import Chunk
from albert.serving.downloads.download import Wanted

CHARACTERS_A_TOKEN = 5
"""The earlier program counted characters: 1100 of them are about 220 tokens of French."""

app = typer.Typer(
    name="pyalbert",
    help="Les verbes de la première génération ; chacun dit son nouveau nom.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Storage = Annotated[
    Path | None, typer.Option("--storage-dir", help="Dossier de données (ALBERT_HOME).")
]
Debug = Annotated[bool, typer.Option("--debug", hidden=True)]


class IndexName(StrEnum):
    sheets = "sheets"
    chunks = "chunks"
    experiences = "experiences"


class IndexType(StrEnum):
    bm25 = "bm25"
    e5 = "e5"


@app.command("download_rag_sources")
def download_rag_sources(storage_dir: Storage = None, debug: Debug = False) -> None:
    """Rapporte les données publiques (albert corpus fetch)."""
    say("Nouveau nom : albert corpus fetch")
    _fetch(albert(storage_dir))


@app.command("make_chunks")
def make_chunks(
    structured: Annotated[
        bool, typer.Option("--structured", help="Toujours vrai désormais.")
    ] = False,
    chunk_size: Annotated[
        int, typer.Option(help="Taille d'un extrait, en caractères.", min=320, max=2500)
    ] = 1100,
    chunk_overlap: Annotated[
        int | None, typer.Option(help="Sans effet : un extrait ne répète que son contexte.", min=0)
    ] = None,
    storage_dir: Storage = None,
    debug: Debug = False,
) -> None:
    """Lit les fiches et les découpe (albert corpus build) ; écrit sheets_as_chunks.json."""
    say("Nouveau nom : albert corpus build (le découpage suit toujours la structure)")
    one = albert(storage_dir, chunk_tokens=chunk_size // CHARACTERS_A_TOKEN)
    report = learn_corpus(one)
    path = one.home.root / "sheets_as_chunks.json"
    with one.store() as store:
        aside = path.with_suffix(".new")
        aside.write_bytes(orjson.dumps([_as_before(chunk) for chunk in store.chunks()]))
        aside.replace(path)
    say(f"{report.chunks} extraits écrits dans {path}")
    if report.errors:
        raise typer.Exit(3)


def _as_before(chunk: Chunk) -> dict[str, object]:
    return {
        "hash": chunk.id,
        "sid": chunk.sheet,
        "source": chunk.source,
        "title": chunk.title,
        "url": chunk.url,
        "date": chunk.date,
        "context": chunk.headings,
        "text": "\n".join(part for part in (chunk.lead, chunk.text) if part),
    }


@app.command("index")
def index(
    name: Annotated[IndexName, typer.Argument(help="Tous sont désormais un seul index.")],
    index_type: Annotated[
        IndexType, typer.Option(help="bm25 : les mots, en secondes ; e5 : aussi les vecteurs.")
    ] = IndexType.bm25,
    recreate: Annotated[bool, typer.Option("--recreate", help="Refait l'index.")] = False,
    batch_size: Annotated[int | None, typer.Option(hidden=True)] = None,
    storage_dir: Storage = None,
    debug: Debug = False,
) -> None:
    """Construit l'index (albert index build)."""
    wait = "all" if index_type is IndexType.e5 else "words"
    say(f"Nouveau nom : albert index build --wait {wait}")
    one = albert(storage_dir)
    learn_words(one, force=recreate)
    if index_type is IndexType.e5:
        asyncio.run(learn_vectors(one, "all"))
    say(told(one.engine.coverage()))


@app.command("show_indexes")
def show_indexes(storage_dir: Storage = None, debug: Debug = False) -> None:
    """Dit où en est l'index (albert index status)."""
    say("Nouveau nom : albert index status")
    typer.echo(told(albert(storage_dir).engine.coverage()))


@app.command("download_model")
def download_model(
    storage_dir: Annotated[
        Path | None, typer.Option(help="Dossier des modèles (STORAGE_PATH).")
    ] = None,
    hf_repo_id: Annotated[
        str, typer.Option(help="Un dépôt ; vide : tous ceux de la table de routage.")
    ] = "",
    debug: Debug = False,
) -> None:
    """Télécharge un modèle, ou tous ceux de la table (albert models download)."""
    say("Nouveau nom : albert models download")
    one = albert()
    wanted = [Wanted(repo_id=hf_repo_id)] if hf_repo_id else of_table(one)
    bring_all(one, wanted, storage_dir)


@app.command("create_whitelist")
def create_whitelist(
    config_file: Annotated[
        Path | None, typer.Option(help="Sans effet : ALBERT_WHITELIST ajoute vos adresses.")
    ] = None,
    storage_dir: Storage = None,
    debug: Debug = False,
) -> None:
    """Apprend les adresses connues (albert whitelist build)."""
    say("Nouveau nom : albert whitelist build")
    say(told_whitelist(albert(storage_dir).learn_whitelist(force=True)))


@app.command("serve")
def serve(storage_dir: Storage = None, debug: Debug = False) -> None:
    """Apprend ce qui manque, puis sert l'API (albert up)."""
    say("Nouveau nom : albert up")
    start(albert(storage_dir))


def _fetch(one: Albert) -> None:
    asyncio.run(
        fetch_all(
            one,
            [],
            said=one.settings.corpus_from,
            npm_registry=one.settings.npm_registry or None,
        )
    )


def main() -> None:
    """Run ``pyalbert``."""
    sys.exit(run(lambda: sys.exit(start_program(app))))
