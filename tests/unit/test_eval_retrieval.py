"""Measures worked by hand, and the reports that are made of them."""

import asyncio
from pathlib import Path

import pytest

from albert.domain.errors import DatasetInvalid
from albert.eval.datasets import Labelled, load
from albert.eval.metrics.bootstrap import interval
from albert.eval.metrics.hit import hit
from albert.eval.metrics.mrr import reciprocal_rank
from albert.eval.metrics.ndcg import ndcg
from albert.eval.retrieval import Run, report, run, write_run
from albert.retrieval.contract import Ranking
from albert.retrieval.hybrid import RankedSheet


@pytest.mark.parametrize(
    ("rank", "hit5", "mrr10", "ndcg10"),
    [
        (1, 1.0, 1.0, 1.0),
        (2, 1.0, 0.5, 0.6309297535714574),
        (3, 1.0, 1 / 3, 0.5),
        (7, 0.0, 1 / 7, 1 / 3),
        (10, 0.0, 0.1, 0.2890648263178879),
        (11, 0.0, 0.0, 0.0),
        (None, 0.0, 0.0, 0.0),
    ],
)
def test_measures_by_rank(rank: int | None, hit5: float, mrr10: float, ndcg10: float) -> None:
    assert (hit(rank, 5), reciprocal_rank(rank, 10)) == (hit5, mrr10)
    assert ndcg(rank, 10) == pytest.approx(ndcg10)


def test_an_interval_is_the_same_each_time_and_holds_the_mean() -> None:
    values = [number / 61 for number in range(61)]
    low, high = interval(values)
    assert interval(values) == (low, high)
    assert low < sum(values) / len(values) < high
    assert interval(values, seed=2) != (low, high)


def test_an_interval_of_equal_values_is_that_value() -> None:
    assert interval([0.5] * 7) == (0.5, 0.5)
    assert interval([]) == (0.0, 0.0)


def asked(qid: str, *sheets: str, style: str = "") -> Labelled:
    return Labelled(qid=qid, question=f"Question {qid} ?", sheets=sheets, style=style)


def ranked(question: Labelled, *sheets: str) -> Run:
    return Run(question, tuple((sid, 1 / n) for n, sid in enumerate(sheets, 1)))


def test_the_rank_is_that_of_the_first_right_sheet() -> None:
    question = asked("q", "F1", "F2")
    assert ranked(question, "F9", "F2", "F1").rank == 2
    assert ranked(question, "F9").rank is None


def test_a_report_means_over_the_questions_that_have_an_answer() -> None:
    made = report(
        [
            ranked(asked("a", "F1", style="mots"), "F1"),
            ranked(asked("b", "F2", style="phrase"), "F9", "F8", "F2"),
            ranked(asked("c", style="phrase"), "F1"),
        ]
    )
    assert made.questions == 2
    assert made.metrics["hit@1"] == 0.5
    assert made.metrics["ndcg@10"] == pytest.approx((1 + 0.5) / 2)
    assert made.metrics["mrr@10"] == pytest.approx((1 + 1 / 3) / 2)
    assert sorted(made.by_style) == ["mots", "phrase"]
    assert made.by_style["mots"]["hit@1"] == 1.0
    assert made.by_style["phrase"]["mrr@10"] == pytest.approx(1 / 3)
    low, high = made.intervals["hit@1"]
    assert low <= 0.5 <= high


def test_what_stands_beyond_the_tenth_rank_is_listed_as_missed() -> None:
    far = [f"F{n}" for n in range(100, 110)]
    made = report(
        [
            ranked(asked("a", "F1"), *far, "F1"),
            ranked(asked("b", "F1"), *far),
            ranked(asked("c", "F1"), *far[:9], "F1"),
        ]
    )
    assert [(miss["qid"], miss["rank"]) for miss in made.misses] == [("a", 11), ("b", None)]
    assert made.misses[0]["found"] == far[:5]


def test_a_report_of_nothing_has_zeros() -> None:
    assert set(report([]).metrics.values()) == {0.0}


class Scripted:
    """Ranks the same two sheets for every question, and remembers what was asked."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, Ranking]] = []

    async def sheets(self, question: str, *, limit: int, by: Ranking) -> list[RankedSheet]:
        self.heard.append((question, limit, by))
        return [
            RankedSheet("service-public/F1", 0.5, ()),
            RankedSheet("travail-emploi/a/b", 0.25, ()),
        ]


def test_each_question_is_asked_once_in_order_fifty_sheets_deep(tmp_path: Path) -> None:
    ranker, steps = Scripted(), list[tuple[int, int]]()
    questions = [asked("a", "F1"), asked("b", "F2")]
    runs = asyncio.run(
        run(ranker, questions, by="words", progress=lambda *step: steps.append(step))
    )
    assert ranker.heard == [("Question a ?", 50, "words"), ("Question b ?", 50, "words")]
    assert steps == [(1, 2), (2, 2)]
    assert [each.rank for each in runs] == [1, None]


def test_a_run_is_written_as_question_sheet_rank_and_score(tmp_path: Path) -> None:
    runs = [ranked(asked("a"), "F1", "F2"), ranked(asked("b"))]
    write_run(runs, tmp_path / "run.txt")
    assert (tmp_path / "run.txt").read_text() == "a F1 1 1.000000\na F2 2 0.500000\n"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return path


GOOD = '{"qid": "q1", "question": "Qui ?"}'


def test_a_dataset_is_read_line_by_line(tmp_path: Path) -> None:
    full = (
        '{"qid": "q2", "question": "Où ?", "sid": "F1", "also": ["F2"], "source": "s",'
        ' "kind": "mots", "gold": ["À la mairie."]}'
    )
    assert load(written(tmp_path, GOOD, "", full)) == [
        Labelled(qid="q1", question="Qui ?"),
        Labelled(
            qid="q2",
            question="Où ?",
            sheets=("F1", "F2"),
            source="s",
            style="mots",
            gold=("À la mairie.",),
        ),
    ]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{", "ce n'est pas un objet JSON"),
        ("[]", "ce n'est pas un objet JSON"),
        ('{"qid": "q"}', "« question »"),
        ('{"qid": "", "question": "Qui ?"}', "« qid »"),
        ('{"qid": 1, "question": "Qui ?"}', "« qid »"),
        ('{"qid": "q", "question": "Qui ?", "sid": 5}', "« sid »"),
        ('{"qid": "q", "question": "Qui ?", "also": "F1"}', "« also »"),
        ('{"qid": "q", "question": "Qui ?", "gold": [1]}', "« gold »"),
        ('{"qid": "q", "question": "Qui ?", "style": []}', "« style »"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, line: str, wrong: str) -> None:
    with pytest.raises(DatasetInvalid, match=f"^questions.jsonl, ligne 3 : {wrong}"):
        load(written(tmp_path, GOOD, "", line))


def test_a_dataset_without_questions_or_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match="ne contient aucune question"):
        load(written(tmp_path, "", " "))
    with pytest.raises(DatasetInvalid, match=r"nowhere.*vérifiez le chemin"):
        load(tmp_path / "nowhere")
