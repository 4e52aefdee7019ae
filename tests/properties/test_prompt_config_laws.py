"""Laws of operators' templates: what is retrieved stays data, whatever it is."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from albert.domain.conversation import Message
from albert.domain.documents import Chunk, SheetId, SourceName
from albert.prompt.config import read_inlined
from albert.prompt.formats import RawFormat, rendered
from albert.prompt.templated import TemplatePrompter

TEMPLATE = """{% for c in sheet_chunks %}
<doc t="{{ c.title }}" c="{{ c.context | join('/') }}">{{ c.text }}</doc>
{% endfor %}
{% for e in experience_chunks %}<recit>{{ e.text }}</recit>{% endfor %}
{{ most_similar_experience }} {{ query }}"""
CONFIG = json.dumps({"prompts": [{"mode": "rag", "system_prompt": "S", "template": TEMPLATE}]})
MODES = read_inlined(CONFIG.encode(), "la configuration").modes("m")
PROMPTER = TemplatePrompter(lambda: MODES)

MARKED = (
    *("<", "</", "doc>", "recit>", ">", '"', "\u200b", "\n", " ", "<|im_end|>", "[/INST]"),
    *("<|eot_id|>", "</s>", "<s>", "[INST]", "<<SYS>>", "{{ query }}", "{% for %}"),
)
hostile = st.lists(st.one_of(st.sampled_from(MARKED), st.text(max_size=4)), max_size=8).map("".join)
chunks = st.builds(
    Chunk,
    sheet=hostile.map(SheetId),
    source=st.just(SourceName("service-public")),
    title=hostile,
    url=hostile,
    text=hostile,
    headings=st.lists(hostile, max_size=2).map(tuple),
)


@settings(max_examples=60)
@given(hostile, st.lists(chunks, max_size=3), st.lists(chunks, max_size=2))
def test_no_text_opens_or_closes_what_an_operator_s_template_delimits(
    question: str, passages: list[Chunk], told: list[Chunk]
) -> None:
    prompt = PROMPTER.prompt(question, passages=passages, experiences=told, window=10**6, count=len)
    read = prompt.messages[-1].content
    for tag, shown in (("doc", passages), ("recit", told)):
        assert len(re.findall(rf"<\s*{tag}", read)) == len(shown)
        assert len(re.findall(rf"<\s*/\s*{tag}", read)) == len(shown)


MARKS = {
    "chatml": r"<\|im_(?:start|end)\|>",
    "llama3-chat": r"<\|[a-z_]+\|>",
    "llama-chat": r"</?s>|\[/?INST\]|<</?SYS>>",
}


@settings(max_examples=60)
@given(st.sampled_from(["chatml", "llama3-chat", "llama-chat"]), st.lists(hostile, max_size=4))
def test_no_text_adds_a_mark_to_a_raw_conversation(shape: RawFormat, texts: list[str]) -> None:
    def marks(said: list[str]) -> int:
        talk = [Message("user", one) for one in said]
        return len(re.findall(MARKS[shape], rendered(shape, talk)))

    assert marks(texts) == marks(["a"] * len(texts))
