"""A model's answer, guarded while it is being written."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from albert.assistant.contract import Event, Finish, Piece, Question, Sources
from albert.assistant.guarded import GuardedAnswerer
from albert.domain.errors import ModelUnreachable
from albert.guard.contract import Check, Finding
from albert.guard.stream import AddressGuard
from albert.guard.whitelist import Whitelist
from albert.testing.answers import ScriptedAnswerer
from albert.testing.services import PASSPORT

ASKED = Question(text="Combien coûte un passeport ?")


def guarded(answerer: ScriptedAnswerer) -> GuardedAnswerer:
    return GuardedAnswerer(answerer, AddressGuard(Whitelist))


def events(answerer: ScriptedAnswerer, question: Question = ASKED) -> list[Event]:
    async def gathered() -> list[Event]:
        return [event async for event in guarded(answerer).answer(question)]

    return asyncio.run(gathered())


def test_pieces_are_guarded_and_findings_ride_on_the_finish() -> None:
    sources, *pieces, finish = events(ScriptedAnswerer(["Voir https://ev", "il.com/a. ", "Fin"]))
    assert sources == Sources(())
    assert pieces == [Piece("Voir "), Piece("[URL MASQUÉE]. "), Piece("Fin")]
    assert isinstance(finish, Finish)
    assert finish.findings == (Finding("url", "https://evil.com/a", "[URL MASQUÉE]"),)


def test_the_page_of_a_passage_is_known_even_to_an_empty_whitelist() -> None:
    _, *pieces, finish = events(ScriptedAnswerer([f"{PASSPORT.url}?x"], chunks=[PASSPORT]))
    assert pieces == [Piece(PASSPORT.url)]
    assert isinstance(finish, Finish)
    assert [finding.replaced_by for finding in finish.findings] == [PASSPORT.url]


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        (frozenset[Check](), "evil.fr a@evil.fr"),
        (frozenset[Check]({"check_mail"}), "evil.fr [MAIL MASQUÉ]"),
    ],
)
def test_only_what_the_question_asks_is_checked(checks: frozenset[Check], said: str) -> None:
    told = events(ScriptedAnswerer(["evil.fr a@evil.fr"]), Question(text="Q ?", checks=checks))
    assert "".join(event.text for event in told if isinstance(event, Piece)) == said


def test_what_was_held_comes_before_an_error() -> None:
    answer = guarded(ScriptedAnswerer(["Voir evil.fr"], error=ModelUnreachable())).answer(ASKED)
    told: list[Event] = []

    async def heard() -> None:
        async for event in answer:
            told.append(event)  # noqa: PERF401 - what came before the error must stay

    with pytest.raises(ModelUnreachable):
        asyncio.run(heard())
    assert told[1:] == [Piece("Voir "), Piece("[URL MASQUÉE]")]


def test_leaving_the_answer_leaves_the_one_behind() -> None:
    behind = ScriptedAnswerer(["Oui. "], endless=True)

    async def left() -> None:
        answer = guarded(behind).answer(ASKED)
        assert isinstance(answer, AsyncGenerator)
        async for event in answer:
            if isinstance(event, Piece):
                break
        await answer.aclose()

    asyncio.run(left())
    assert behind.closed.is_set()
