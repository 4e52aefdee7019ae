"""Answering with a model: what it reads, what is passed on, what stops."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from albert.assistant.contract import Event, Finish, Piece, Question, Sources
from albert.assistant.generative import ModelAnswerer
from albert.domain.conversation import Circumstances, Message, Sampling
from albert.domain.documents import Chunk, SheetId, SourceName
from albert.domain.errors import ModelUnreachable, PromptTooLong, QuestionInvalid
from albert.prompt.contract import Plan, Prompt
from albert.retrieval.hybrid import HybridRetriever
from albert.testing.models import HashEmbedder, ScriptedModel
from albert.testing.search import MemoryEngine

CHUNKS = [
    Chunk(
        sheet=SheetId(f"F{n}"),
        source=SourceName("service-public"),
        title="Passeport",
        url=f"https://example.org/F{n}",
        text=f"Le passeport se demande en mairie {n}.",
    )
    for n in range(3)
]


class FirstPassage:
    """A prompter that has room for one passage, and keeps what it was given."""

    def __init__(self) -> None:
        self.window = 0
        self.passages: tuple[Chunk, ...] = ()

    def plan(self, mode: str) -> Plan:
        return Plan(quotes=mode != "simple")

    def prompt(
        self,
        question: str,
        *,
        passages: Sequence[Chunk] = (),
        experiences: Sequence[Chunk] = (),
        history: Sequence[Message] = (),
        mode: str = "rag",
        circumstances: Circumstances = Circumstances(),
        window: int,
        count: Callable[[str], int],
    ) -> Prompt:
        if count(question) > window:
            raise PromptTooLong
        self.window, self.passages = window, tuple(passages)
        kept = self.passages[:1]
        said = "\n".join([*(chunk.text for chunk in kept), question])
        return Prompt(messages=(*history, Message("user", said)), quoted=kept)


def events(
    model: ScriptedModel, question: Question, prompter: FirstPassage | None = None
) -> list[Event]:
    retriever = HybridRetriever(MemoryEngine(CHUNKS), HashEmbedder())
    answerer = ModelAnswerer(
        retriever, prompter or FirstPassage(), model, newest=lambda: {"s": "2020-04-30"}
    )

    async def gathered() -> list[Event]:
        return [event async for event in answerer.answer(question)]

    return asyncio.run(gathered())


ASKED = Question(text="Où demander un passeport ?")


def test_sources_come_first_then_the_models_pieces_then_who_was_cited() -> None:
    sources, *pieces, finish = events(ScriptedModel("En ", "mairie."), ASKED)
    assert isinstance(sources, Sources)
    [chunk] = sources.chunks
    assert pieces[:2] == [Piece("En "), Piece("mairie.")]
    assert isinstance(pieces[2], Piece)
    assert pieces[2].text.startswith("\n\n**Sources**\n[1] Passeport")
    assert isinstance(finish, Finish)
    assert ([c.chunk for c in finish.citations], finish.mode) == ([chunk], "model")


def test_the_model_reads_the_passage_and_the_question() -> None:
    model = ScriptedModel("Oui.")
    sources = events(model, ASKED)[0]
    assert isinstance(sources, Sources)
    assert model.heard == [(Message("user", f"{sources.chunks[0].text}\n{ASKED.text}"),)]


def test_a_simple_answer_searches_nothing_and_names_no_source() -> None:
    simple = Question(text="Bonjour", mode="simple")
    assert events(ScriptedModel("Bonjour."), simple) == [
        Sources((), '[{"role": "user", "content": "Bonjour"}]'),
        Piece("Bonjour."),
        Finish(citations=(), mode="model"),
    ]


def test_a_quarter_of_the_window_is_kept_for_the_answer_or_what_the_caller_asks() -> None:
    prompter = FirstPassage()
    events(ScriptedModel("Oui.", window=400), ASKED, prompter)
    assert prompter.window == 300
    asked = Question(text=ASKED.text, sampling=Sampling(max_tokens=150))
    events(ScriptedModel("Oui.", window=400), asked, prompter)
    assert prompter.window == 250


def test_no_more_passages_than_asked_are_given_to_read() -> None:
    prompter = FirstPassage()
    events(ScriptedModel("Oui."), Question(text=ASKED.text, limit=2), prompter)
    assert len(prompter.passages) == 2


def test_a_question_too_long_for_the_model_is_refused_before_any_event() -> None:
    model = ScriptedModel("Oui.", window=4)
    with pytest.raises(PromptTooLong):
        events(model, ASKED)
    assert model.heard == []


def test_an_empty_question_is_refused_in_every_mode() -> None:
    with pytest.raises(QuestionInvalid):
        events(ScriptedModel("Oui."), Question(text=" ", mode="simple"))


def test_a_model_that_fails_midway_says_so_and_cites_nothing() -> None:
    model = ScriptedModel("En ", ModelUnreachable())
    with pytest.raises(ModelUnreachable):
        events(model, ASKED)
    assert model.closed == 1


def test_leaving_an_answer_stops_the_model() -> None:
    model = ScriptedModel("En ", "mairie.")
    retriever = HybridRetriever(MemoryEngine(CHUNKS), HashEmbedder())
    answerer = ModelAnswerer(retriever, FirstPassage(), model, newest=dict)

    async def left() -> int:
        answer = answerer.answer(ASKED)
        async for event in answer:
            if isinstance(event, Piece):
                break
        await answer.aclose()  # type: ignore[attr-defined]  # an async generator, as its contract says
        return model.closed

    assert asyncio.run(left()) == 1
