"""Laws of prompts, whatever the texts."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from albert.domain.conversation import Message
from albert.domain.documents import Chunk, SheetId, SourceName
from albert.domain.errors import PromptTooLong
from albert.prompt.budget import size
from albert.prompt.quotation import neutral
from albert.prompt.templated import TemplatePrompter

PROMPTER = TemplatePrompter()
OPENS = re.compile(r"<\s*extrait", re.IGNORECASE)
CLOSES = re.compile(r"<\s*/\s*extrait", re.IGNORECASE)
MARKERS = re.compile(
    r"<\s*\|?\s*(?:im_start|im_end|eot_id|start_of_turn|s>|/s>|<SYS)|\[\s*/?\s*INST\s*\]",
    re.IGNORECASE,
)

hostile = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "<",
                "</",
                "< /",
                "extrait",
                "EXTRAIT",
                ">",
                '"',
                "\n",
                " ",
                "\u200b",
                "\x00",
                "n=",
                "1",
                "<|im_start|>",
                "im_end",
                "|>",
                "[INST]",
                "[",
                "/INST",
                "]",
                "<s>",
                "</s>",
                "＜",
                "<<SYS>>",
                "<start_of_turn>",
                "{{ query }}",
                "{% endblock %}",
                "25 ans",
                "é",
            ]
        ),
        st.text(max_size=4),
    ),
    max_size=8,
).map("".join)

chunks = st.builds(
    Chunk,
    sheet=hostile.map(SheetId),
    source=st.just(SourceName("service-public")),
    title=hostile,
    url=hostile,
    text=hostile,
    lead=hostile,
    date=hostile,
    headings=st.lists(hostile, max_size=2).map(tuple),
)
histories = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant"]), hostile), max_size=6
)


@settings(max_examples=60)
@given(hostile)
def test_making_neutral_twice_changes_nothing_more(text: str) -> None:
    assert neutral(neutral(text)) == neutral(text)


@settings(max_examples=60)
@given(hostile, st.lists(chunks, max_size=4), histories)
def test_no_text_opens_or_closes_a_passage_nor_speaks_for_another_role(
    question: str, passages: list[Chunk], history: list[Message]
) -> None:
    prompt = PROMPTER.prompt(question, passages=passages, history=history, window=10**6, count=len)
    read = "\n".join(message.content for message in prompt.messages)
    assert len(OPENS.findall(read)) == len(passages)
    assert len(CLOSES.findall(read)) == len(passages)
    assert not MARKERS.search(read)


@settings(max_examples=60)
@given(hostile, st.lists(chunks, max_size=4), histories, st.integers(1500, 4000))
def test_a_prompt_fits_its_window_and_keeps_the_end_of_history_and_the_best_passages(
    question: str, passages: list[Chunk], history: list[Message], window: int
) -> None:
    try:
        prompt = PROMPTER.prompt(
            question, passages=passages, history=history, window=window, count=len
        )
    except PromptTooLong:
        return
    assert size(prompt.messages, len) <= window
    assert list(prompt.quoted) == passages[: len(prompt.quoted)]
    kept = prompt.messages[1:-1]
    assert [m.role for m in kept] == [m.role for m in history[len(history) - len(kept) :]]
    assert not kept or len(prompt.quoted) == len(passages)  # history goes before passages
