"""A conversation as one text, for models that are given no messages.

The text's very first token (``<s>``, ``<|begin_of_text|>``) is left out: engines add it.
Sources, November 2026: Meta's model cards of Llama 2 and Llama 3; OpenAI's ChatML note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from albert.domain.conversation import Message

RawFormat = Literal["chatml", "llama-chat", "llama3-chat"]
PromptFormat = Literal["openai"] | RawFormat
"""``openai``: messages are sent as they are, and the engine has its own template."""

# whatever the texts are, none may end its turn or begin another's
_CHATML = re.compile(r"<(?=\|\s*im_(?:start|end|sep)\s*\|>)", re.IGNORECASE)
_LLAMA3 = re.compile(r"<(?=\|[a-z_0-9]{1,40}\|>)", re.IGNORECASE)
_LLAMA2 = re.compile(r"<(?=\s*/?s>|<\s*/?SYS>>)|\[(?=\s*/?\s*INST\s*\])", re.IGNORECASE)
_STANDS_FOR = {"<": "‹", "[": "⟦"}


def rendered(shape: RawFormat, messages: Sequence[Message]) -> str:
    """Return the conversation up to where the model's answer begins."""
    return _WRITERS[shape](messages)


def stops(shape: RawFormat) -> tuple[str, ...]:
    """Return what ends an answer, for engines that do not know it by themselves."""
    return _STOPS[shape]


def _without(marks: re.Pattern[str], text: str) -> str:
    return marks.sub(lambda found: _STANDS_FOR[found[0]], text)


def _chatml(messages: Sequence[Message]) -> str:
    turns = (f"<|im_start|>{m.role}\n{_without(_CHATML, m.content)}<|im_end|>\n" for m in messages)
    return "".join(turns) + "<|im_start|>assistant\n"


def _llama3(messages: Sequence[Message]) -> str:
    turns = (
        f"<|start_header_id|>{m.role}<|end_header_id|>\n\n"
        f"{_without(_LLAMA3, m.content).strip()}<|eot_id|>"
        for m in messages
    )
    return "".join(turns) + "<|start_header_id|>assistant<|end_header_id|>\n\n"


def _llama2(messages: Sequence[Message]) -> str:
    """What the system says stands in the first instruction; later, in the next one."""
    text, said = "", ""
    for message in messages:
        content = _without(_LLAMA2, message.content).strip()
        if message.role == "system":
            said += f"<<SYS>>\n{content}\n<</SYS>>\n\n"
        elif message.role == "user":
            text += f"<s>[INST] {said}{content} [/INST]"
            said = ""
        else:
            opening = "" if text.endswith("[/INST]") else "<s>"
            text += f"{opening} {content} </s>"
    if not text.endswith("[/INST]"):
        text += f"<s>[INST] {said}[/INST]"
    return text.removeprefix("<s>")


_WRITERS: Mapping[RawFormat, Callable[[Sequence[Message]], str]] = {
    "chatml": _chatml,
    "llama-chat": _llama2,
    "llama3-chat": _llama3,
}
_STOPS: Mapping[RawFormat, tuple[str, ...]] = {
    "chatml": ("<|im_end|>",),
    "llama-chat": ("</s>",),
    "llama3-chat": ("<|eot_id|>",),
}
