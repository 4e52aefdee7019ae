"""``albert eval``: measures on questions whose right sheet is known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from albert.cli.console import bar, say, show
from albert.cli.start import albert
from albert.eval.answers import measure
from albert.eval.datasets import load
from albert.eval.retrieval import RetrievalReport, report, run, write_run
from albert.eval.scope import Recorder, learn, left_out, observe, refused
from albert.index.contract import Filter
from albert.retrieval.contract import Ranking

app = typer.Typer(help="Mesurer ce qu'Albert trouve et répond.", no_args_is_help=True)


@app.command()
def retrieval(
    questions: Annotated[Path, typer.Option(help="Questions, un objet JSON par ligne.")],
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
    run_file: Annotated[
        Path | None, typer.Option("--run", help="Écrit le classement : qid sid rang score.")
    ] = None,
    by: Annotated[
        str, typer.Option(help="Ce qui classe : hybrid, words ou meaning.", metavar="MODE")
    ] = "hybrid",
) -> None:
    """Mesure si la bonne fiche est trouvée : hit@k, MRR, nDCG, avec leurs intervalles à 95 %."""
    rankings: dict[str, Ranking] = {"hybrid": "hybrid", "words": "words", "meaning": "meaning"}
    if by not in rankings:
        raise typer.BadParameter(f"{by!r} n'est ni hybrid, ni words, ni meaning", param_hint="--by")
    asked = load(questions)
    one = albert()
    with bar("Questions") as line:
        runs = asyncio.run(run(one.retriever, asked, by=rankings[by], progress=line.at))
    result = report(runs)
    if run_file is not None:
        write_run(runs, run_file)
        say(f"Classement écrit dans {run_file}")
    if as_json:
        coverage = one.engine.coverage()
        show(orjson.dumps({**_json(result), "coverage": coverage}).decode())
    else:
        _show(result)


@app.command()
def answers(
    questions: Annotated[
        Path, typer.Option(help="Questions dont la phrase qui répond est marquée (« gold »).")
    ],
    out_of_scope: Annotated[
        Path, typer.Option("--out-of-scope", help="Questions auxquelles aucune fiche ne répond.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="En JSON.")] = False,
) -> None:
    """Mesure si la phrase qui répond est citée, et si ce qui est sans réponse n'en reçoit pas."""
    asked, others = load(questions), load(out_of_scope)
    one = albert()
    with bar("Questions") as line:
        result = asyncio.run(
            measure(
                one.extractive(), asked, others, sources=one.answering_sources, progress=line.at
            )
        )
    if as_json:
        show(orjson.dumps(result).decode())
        return
    said = {
        "quoted": "fiche donnée : la phrase qui répond est citée",
        "answered": "questions auxquelles une fiche répond : Albert répond",
        "refused": "questions sans fiche : Albert ne répond pas",
    }
    for name, rate in result.rates.items():
        low, high = result.intervals[name]
        show(f"{rate:.2f} [{low:.2f} ; {high:.2f}]  {said[name]} ({result.counts[name]})")
    show(f"non citées : {', '.join(result.not_quoted) or 'aucune'}")
    show(f"sans réponse : {', '.join(result.not_answered) or 'aucune'}")
    show(f"répondues à tort : {', '.join(result.answered_out_of_scope) or 'aucune'}")


@app.command()
def scope(
    questions: Annotated[Path, typer.Option(help="Questions auxquelles une fiche répond.")],
    out_of_scope: Annotated[
        Path, typer.Option("--out-of-scope", help="Questions auxquelles aucune fiche ne répond.")
    ],
    write: Annotated[
        Path | None, typer.Option(help="Écrit ce qui est appris (assistant/data/scope.json).")
    ] = None,
) -> None:
    """Apprend à reconnaître les questions sans réponse ; mesure sur des questions non vues."""
    asked = [*load(questions), *load(out_of_scope)]
    one = albert()
    recorder = Recorder()
    where = Filter(sources=one.answering_sources)
    with bar("Questions") as line:
        rows, answerable = asyncio.run(
            observe(one.extractive(recorder), recorder, asked, where=where, progress=line.at)
        )
    learned = learn(rows, answerable, model=one.embedder.fingerprint)
    shares = refused(left_out(rows, answerable), answerable, learned.threshold)
    show(
        f"Questions non vues : {shares['answered']:.2f} des bonnes questions répondues, "
        f"{shares['refused']:.2f} des autres refusées."
    )
    if write is not None:
        write.write_text(learned.dumps(), "ascii")


def _json(result: RetrievalReport) -> dict[str, object]:
    return {
        "questions": result.questions,
        "metrics": result.metrics,
        "intervals": result.intervals,
        "by_style": result.by_style,
        "misses": result.misses,
    }


def _show(result: RetrievalReport) -> None:
    show(f"{result.questions} questions")
    for name, value in result.metrics.items():
        low, high = result.intervals[name]
        show(f"  {name:8} {value:.3f}  [{low:.3f} ; {high:.3f}]")
    for style, metrics in result.by_style.items():
        told = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        show(f"  {style:10} {told}")
    for miss in result.misses:
        show(f"  {miss['qid']} rang {miss['rank'] or '> 50'}, attendue {miss['wanted']}")
        show(f"    {miss['question']}")
        show(f"    trouvées : {miss['found']}")
