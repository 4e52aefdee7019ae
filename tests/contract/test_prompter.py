"""What every prompter promises. A token is a word here."""

import pytest

from albert.domain.conversation import Message
from albert.domain.documents import Chunk, SheetId, SourceName
from albert.domain.errors import PromptTooLong, RequestError
from albert.prompt.contract import Prompter
from albert.prompt.templated import TemplatePrompter
from albert.testing.prompts import PlainPrompter

HISTORY = (
    Message("user", "premier"),
    Message("assistant", "réponse " * 50),
    Message("user", "deuxième"),
    Message("assistant", "réponse"),
)
WIDE = 10_000


@pytest.fixture(params=[PlainPrompter, TemplatePrompter])
def prompter(request: pytest.FixtureRequest) -> Prompter:
    made: Prompter = request.param()
    return made


def words(text: str) -> int:
    return len(text.split())


def chunk(number: int, text: str = "mot") -> Chunk:
    return Chunk(
        sheet=SheetId(f"F{number}"),
        source=SourceName("service-public"),
        title=f"Fiche {number}",
        url=f"https://www.service-public.fr/F{number}",
        text=text,
    )


def needed(prompter: Prompter, *chunks: Chunk, history: tuple[Message, ...] = ()) -> int:
    """The smallest window that holds these, found by asking for ever less."""
    for window in range(1, WIDE):
        try:
            prompt = prompter.prompt(
                "Q ?", passages=chunks, history=history, window=window, count=words
            )
        except PromptTooLong:
            continue
        if len(prompt.quoted) == len(chunks) and len(prompt.messages) == 2 + len(history):
            return window
    raise AssertionError("nothing fits")


def test_everything_is_kept_where_there_is_room(prompter: Prompter) -> None:
    chunks = (chunk(1), chunk(2))
    prompt = prompter.prompt("Q ?", passages=chunks, history=HISTORY, window=WIDE, count=words)
    assert prompt.quoted == chunks
    assert prompt.messages[1:-1] == tuple(
        Message(message.role, message.content) for message in HISTORY
    )


def test_a_system_message_comes_first_and_the_question_last(prompter: Prompter) -> None:
    prompt = prompter.prompt("Ai-je droit au RSA ?", window=WIDE, count=words)
    assert [message.role for message in prompt.messages] == ["system", "user"]
    assert "Ai-je droit au RSA ?" in prompt.messages[-1].content


def test_the_oldest_exchange_goes_first_and_whole(prompter: Prompter) -> None:
    chunks = (chunk(1), chunk(2))
    window = needed(prompter, *chunks, history=HISTORY) - 1
    prompt = prompter.prompt("Q ?", passages=chunks, history=HISTORY, window=window, count=words)
    assert prompt.messages[1:-1] == HISTORY[2:]
    assert prompt.quoted == chunks


def test_then_the_last_passages_go(prompter: Prompter) -> None:
    first, second = chunk(1), chunk(2, "mot " * 30)
    window = needed(prompter, first, second) - 1
    prompt = prompter.prompt(
        "Q ?", passages=(first, second), history=HISTORY, window=window, count=words
    )
    assert prompt.quoted == (first,)
    assert len(prompt.messages) == 2


def test_a_question_that_does_not_fit_alone_is_refused(prompter: Prompter) -> None:
    with pytest.raises(PromptTooLong):
        prompter.prompt("mot " * 500, passages=(chunk(1),), window=400, count=words)


def test_a_mode_that_shows_no_passage_quotes_none(prompter: Prompter) -> None:
    prompt = prompter.prompt(
        "Q ?", passages=(chunk(1, "introuvable"),), mode="simple", window=WIDE, count=words
    )
    assert prompt.quoted == ()
    assert not any("introuvable" in message.content for message in prompt.messages)


def test_an_unknown_mode_is_refused_by_its_name(prompter: Prompter) -> None:
    with pytest.raises(RequestError, match="'poème'"):
        prompter.prompt("Q ?", mode="poème", window=WIDE, count=words)


def test_the_same_arguments_give_the_same_prompt(prompter: Prompter) -> None:
    first, again = (
        prompter.prompt("Q ?", passages=(chunk(1),), history=HISTORY, window=WIDE, count=words)
        for _ in range(2)
    )
    assert first == again
