"""``albert eval``: measures on questions whose right sheet is known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from albert.cli.console import bar, say, show
from albert.cli.start import albert
from albert.eval.datasets import load
from albert.eval.retrieval import RetrievalReport, report, run, write_run
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
