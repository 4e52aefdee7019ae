"""Whether what answers is quoted, and whether what has no answer gets none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from albert.assistant.contract import Answerer, Citation, Finish, Question
from albert.domain.documents import SheetId, SourceName
from albert.eval.datasets import Labelled
from albert.eval.metrics.bootstrap import interval
from albert.index.contract import Filter

_MARKUP = re.compile(r"[\W_]")
_SHORT = 12
"""Letters under which a gold sentence must be a whole unit: it may occur anywhere by chance."""


@dataclass(slots=True)
class AnswersReport:
    """Shares with their 95 % intervals, and the questions that went wrong."""

    rates: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    counts: dict[str, int]
    not_quoted: list[str]
    not_answered: list[str]
    answered_out_of_scope: list[str]


async def measure(
    answerer: Answerer,
    questions: Sequence[Labelled],
    out_of_scope: Sequence[Labelled],
    *,
    sources: frozenset[SourceName],
    progress: Callable[[int, int], None],
) -> AnswersReport:
    """Ask all questions, those with a gold sentence once more with their sheet given."""
    everywhere = Filter(sources=sources)
    outcomes: dict[str, dict[str, bool]] = {"quoted": {}, "answered": {}, "refused": {}}
    total = len(questions) + len(out_of_scope)
    for number, one in enumerate([*questions, *out_of_scope], start=1):
        finish = await _ask(answerer, one.question, everywhere)
        if number > len(questions):
            outcomes["refused"][one.qid] = not finish.answered
        else:
            outcomes["answered"][one.qid] = finish.answered
        if one.gold:
            given = Filter(sheets=frozenset(map(SheetId, one.sheets)))
            finish = await _ask(answerer, one.question, given)
            outcomes["quoted"][one.qid] = quoted(one.gold, finish.citations)
        progress(number, total)
    values = {name: [float(v) for v in found.values()] for name, found in outcomes.items()}
    return AnswersReport(
        rates={name: sum(v) / len(v) for name, v in values.items() if v},
        intervals={name: interval(v) for name, v in values.items() if v},
        counts={name: len(v) for name, v in values.items()},
        not_quoted=_failed(outcomes["quoted"]),
        not_answered=_failed(outcomes["answered"]),
        answered_out_of_scope=_failed(outcomes["refused"]),
    )


def quoted(gold: Sequence[str], citations: Sequence[Citation]) -> bool:
    """Say whether one of the gold sentences is in a quote, white space and markup aside."""
    lines = {letters(line) for citation in citations for line in citation.quote.split("\n")}
    whole = "".join(letters(citation.quote) for citation in citations)
    wanted = [letters(sentence) for sentence in gold]
    return any(one in lines if len(one) < _SHORT else one in whole for one in wanted if one)


def letters(text: str) -> str:
    """Return the letters and digits of a text alone, lower-cased."""
    return _MARKUP.sub("", text.lower())


def _failed(outcomes: dict[str, bool]) -> list[str]:
    return [qid for qid, good in outcomes.items() if not good]


async def _ask(answerer: Answerer, text: str, where: Filter) -> Finish:
    end = Finish(citations=(), mode="extractive", answered=False)
    async for event in answerer.answer(Question(text=text, where=where)):
        if isinstance(event, Finish):
            end = event
    return end
