"""Make text from elsewhere harmless to the prompt that holds it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from albert.domain.documents import Chunk

# every tag, ours and those of chat templates (<|im_start|>, </s>, <<SYS>>, <start_of_turn>),
# begins so; what is left alone is a comparison: "< 25 ans", "<= 3", "<3"
_OPENING = re.compile(r"[<＜﹤](?!\s*[=\d])")
# control words of Mistral's and EXAONE's templates; other brackets are links and notes of sheets
_BRACKET = re.compile(
    r"\[(?=\s*/?\s*(?:INST|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS"
    r"|TOOL_CONTENT|ARGS|CALL_ID|THINK|MODEL_SETTINGS|PREFIX|MIDDLE|SUFFIX|IMG|IMG_END"
    r"|IMG_BREAK|AUDIO|BEGIN_AUDIO)\s*\]|\s*\|[^|\]\n]{0,40}\|\s*\])",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedChunk:
    """What a template may show of a chunk: text that cannot leave its place."""

    title: str
    text: str
    """With its breadcrumb, and the header row it needs."""
    url: str = ""
    date: str = ""
    context: tuple[str, ...] = ()
    sid: str = ""
    source: str = ""
    hash: str = ""
    introduction: str = ""
    """Empty, as the three below: templates of the first generation name them of the
    sheet, which a prompt does not have."""
    theme: str = ""
    surtitre: str = ""
    web_services: tuple[str, ...] = ()


def neutral(text: str) -> str:
    """Return ``text`` without anything a model or our delimiter would take for structure.

    An opening ``<`` becomes ``‹`` and a control word's ``[`` becomes ``⟦``; what
    cannot be seen (control characters, zero-width ones) goes. Idempotent; ordinary
    sentences come back unchanged.
    """
    return _BRACKET.sub("⟦", _OPENING.sub("‹", _CONTROL.sub("", text)))


def neutral_attribute(text: str) -> str:
    """The same on one line and without double quotes, to stand between them."""
    return " ".join(neutral(text).replace('"', "'").replace(">", "›").split())


def quoted(chunk: Chunk) -> QuotedChunk:
    return QuotedChunk(
        title=neutral_attribute(chunk.title),
        text=neutral(chunk.passage),
        url=neutral_attribute(chunk.url),
        date=neutral_attribute(chunk.date),
        context=tuple(map(neutral_attribute, chunk.headings)),
        sid=neutral_attribute(chunk.sheet),
        source=neutral_attribute(chunk.source),
        hash=chunk.id,
    )
