"""From a conversation to the passages that its last question needs."""

import asyncio
from collections.abc import Set

import pytest

from albert.assistant.contract import Question
from albert.assistant.finding import checked, find, in_context
from albert.domain.conversation import Message
from albert.domain.documents import ANSWERING, Chunk, Hit, SheetId, SourceName
from albert.domain.errors import QuestionInvalid
from albert.index.contract import EVERYTHING, Filter
from albert.retrieval.contract import Ranking


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  Qui ?\n", "Qui ?"),
        ("Un\ndeux\r\n\ttrois\rquatre", "Un\ndeux\n\ttrois\nquatre"),
        ("é" * 8000, "é" * 8000),
        (" " * 9000 + "Qui ?", "Qui ?"),
    ],
)
def test_a_question_loses_its_blank_ends_and_its_line_ends_are_made_one(
    text: str, kept: str
) -> None:
    assert checked(text) == kept


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "La question est vide : écrivez"),
        (" \n\t ", "La question est vide : écrivez"),
        ("a" * 8001, "compte 8001 caractères : 8000 au plus"),
        ("a" * 100_000, "compte 100000 caractères : 8000 au plus"),
        ("Qui\x00 ?", "caractères de contrôle : retirez-les"),
        ("Qui\x1b[31m ?", "caractères de contrôle : retirez-les"),
        ("Qui\x7f ?", "caractères de contrôle : retirez-les"),
        ("Qui\x85 ?", "caractères de contrôle : retirez-les"),
        ("Qui\ud800 ?", "caractères de contrôle : retirez-les"),
    ],
)
def test_what_is_no_question_is_told_with_what_to_do(text: str, told: str) -> None:
    with pytest.raises(QuestionInvalid, match=told):
        checked(text)


def turns(*texts: str) -> tuple[Message, ...]:
    """User turns, each with its answer."""
    return tuple(m for t in texts for m in (Message("user", t), Message("assistant", f"À {t}")))


def test_a_follow_up_is_searched_after_the_two_turns_before_it() -> None:
    assert in_context("quatre", turns("un", "deux", "trois")) == "deux\ntrois\nquatre"
    assert in_context("un", ()) == "un"
    assert in_context("un", [Message("system", "s"), Message("assistant", "a")]) == "un"


def hit(name: str) -> Hit:
    chunk = Chunk(sheet=SheetId(name), source=SourceName("s"), title="t", url="u", text=name)
    return Hit(chunk, 1.0)


class Scripted:
    """Finds what is written for a question, and remembers what was asked."""

    def __init__(self, found: dict[str, list[str]]) -> None:
        self._found = found
        self.heard: list[tuple[str, int, Filter]] = []

    async def retrieve(
        self,
        question: str,
        *,
        limit: int,
        where: Filter = EVERYTHING,
        by: Ranking = "hybrid",
        expand: bool = True,
    ) -> list[Hit]:
        self.heard.append((question, limit, where))
        return [hit(name) for name in self._found.get(question, [])][:limit]


def found(retriever: Scripted, question: Question) -> list[str]:
    return [each.chunk.sheet for each in asyncio.run(find(retriever, question))]


def test_a_question_alone_is_searched_once_with_its_limit_and_filter() -> None:
    retriever = Scripted({"Qui ?": ["F1", "F2"]})
    where = Filter(sources=ANSWERING, sheets=frozenset({SheetId("F1")}))
    assert found(retriever, Question(text=" Qui ? ", limit=2, where=where)) == ["F1", "F2"]
    assert retriever.heard == [("Qui ?", 2, where)]


EXPERIENCES = SourceName("experiences")


@pytest.mark.parametrize(
    ("wanted", "searched"),
    [
        (frozenset[SourceName](), ANSWERING),
        ({SourceName("travail-emploi"), EXPERIENCES}, {SourceName("travail-emploi")}),
    ],
)
def test_answers_never_come_from_citizens_messages(
    wanted: Set[SourceName], searched: Set[SourceName]
) -> None:
    retriever = Scripted({"Qui ?": ["F1"]})
    found(retriever, Question(text="Qui ?", where=Filter(sources=frozenset(wanted))))
    assert retriever.heard[0][2].sources == searched


def test_from_citizens_messages_alone_nothing_is_found() -> None:
    retriever = Scripted({"Qui ?": ["F1"]})
    where = Filter(sources=frozenset({EXPERIENCES}))
    assert found(retriever, Question(text="Qui ?", where=where)) == []
    assert retriever.heard == []


def test_a_follow_up_finds_what_both_say_and_the_question_counts_double() -> None:
    retriever = Scripted({"Et où ?": ["F1", "F2"], "Qui ?\nEt où ?": ["F3", "F2"]})
    question = Question(text="Et où ?", history=turns("Qui ?"), limit=3)
    # F2 = 1/62 + 0.5/62, F1 = 1/61, F3 = 0.5/61
    assert found(retriever, question) == ["F2", "F1", "F3"]


def test_no_more_passages_than_asked_are_found() -> None:
    retriever = Scripted({"Et où ?": ["F1", "F2"], "Qui ?\nEt où ?": ["F3", "F4"]})
    question = Question(text="Et où ?", history=turns("Qui ?"), limit=2)
    assert found(retriever, question) == ["F1", "F2"]


def test_a_question_that_cannot_be_asked_is_not_searched() -> None:
    retriever = Scripted({})
    with pytest.raises(QuestionInvalid):
        found(retriever, Question(text=" "))
    assert retriever.heard == []
