"""How well the right sheet is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from albert.eval.datasets import Labelled
from albert.eval.metrics.bootstrap import interval
from albert.eval.metrics.hit import hit
from albert.eval.metrics.mrr import reciprocal_rank
from albert.eval.metrics.ndcg import ndcg
from albert.retrieval.contract import Ranking
from albert.retrieval.hybrid import RankedSheet

DEPTH = 50
METRICS: dict[str, Callable[[int | None], float]] = {
    "hit@1": lambda rank: hit(rank, 1),
    "hit@5": lambda rank: hit(rank, 5),
    "hit@10": lambda rank: hit(rank, 10),
    "hit@50": lambda rank: hit(rank, 50),
    "mrr@10": lambda rank: reciprocal_rank(rank, 10),
    "ndcg@10": lambda rank: ndcg(rank, 10),
}


class SheetRanker(Protocol):
    async def sheets(self, question: str, *, limit: int, by: Ranking) -> list[RankedSheet]: ...


@dataclass(frozen=True, slots=True)
class Run:
    """One question's ranking: sheets' ids with their scores, best first."""

    question: Labelled
    ranking: tuple[tuple[str, float], ...]

    @property
    def rank(self) -> int | None:
        """Where the first right sheet stands, from 1."""
        places = (i for i, (sid, _) in enumerate(self.ranking, 1) if sid in self.question.sheets)
        return next(places, None)


@dataclass(slots=True)
class RetrievalReport:
    """Means over the questions, their 95 % intervals, the same by style, and what was missed."""

    questions: int
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    by_style: dict[str, dict[str, float]]
    misses: list[dict[str, object]] = field(default_factory=list)


async def run(
    ranker: SheetRanker,
    questions: Sequence[Labelled],
    *,
    by: Ranking,
    progress: Callable[[int, int], None],
) -> list[Run]:
    """Ask each question, in order."""
    runs = []
    for number, question in enumerate(questions, start=1):
        ranked = await ranker.sheets(question.question, limit=DEPTH, by=by)
        ranking = tuple((sheet.sheet.rpartition("/")[2], sheet.score) for sheet in ranked)
        runs.append(Run(question, ranking))
        progress(number, len(questions))
    return runs


def report(runs: Sequence[Run]) -> RetrievalReport:
    """Measure the questions that have a right sheet; the others do not count here."""
    judged = [run for run in runs if run.question.sheets]
    styles = sorted({run.question.style for run in judged})
    return RetrievalReport(
        questions=len(judged),
        metrics=_means(judged),
        intervals={
            name: interval([measure(run.rank) for run in judged])
            for name, measure in METRICS.items()
        },
        by_style={
            style: _means([run for run in judged if run.question.style == style])
            for style in styles
        },
        misses=[
            {
                "qid": run.question.qid,
                "question": run.question.question,
                "wanted": list(run.question.sheets),
                "rank": run.rank,
                "found": [sid for sid, _ in run.ranking[:5]],
            }
            for run in judged
            if run.rank is None or run.rank > 10
        ],
    )


def _means(runs: Sequence[Run]) -> dict[str, float]:
    return {
        name: sum(measure(run.rank) for run in runs) / max(len(runs), 1)
        for name, measure in METRICS.items()
    }


def write_run(runs: Sequence[Run], path: Path) -> None:
    """Write ``qid sid rank score`` lines, so that anyone can compute the measures again."""
    lines = [
        f"{run.question.qid} {sid} {rank} {score:.6f}\n"
        for run in runs
        for rank, (sid, score) in enumerate(run.ranking, start=1)
    ]
    path.write_text("".join(lines), "utf-8")
