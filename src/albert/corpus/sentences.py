"""Where a French sentence ends."""

from __future__ import annotations

import re

_END = re.compile(r"""(?<=[.!?…])["»)\]]*\s+(?=["«(\[]?\s?[A-ZÀ-ÖØ-Þ0-9])""")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(«'’])(?:[A-Z]|[LRD]\*?|MM?|Mme|Mlle|Me|Dr|St|Ste|[Aa]rt|[Cc]f|[Pp]p?|[Nn]°?|[Ee]x"
    r"|[Aa]l|[Vv]ol|[Tt]él|[Aa]v|[Bb]d|[Ii]nc|env|max|min|réf|chap|sect|par ex)\.$"
)


def sentences(text: str) -> list[str]:
    """Split a paragraph into sentences; joined by one space, they are the paragraph again.

    A point that follows an initial, a title or a legal abbreviation ("art. L. 1234-5")
    ends nothing.
    """
    out: list[str] = []
    start = 0
    for end in _END.finditer(text):
        sentence = text[start : end.end()].rstrip()
        if not _ABBREVIATION.search(sentence):
            out.append(sentence)
            start = end.end()
    if text[start:]:
        out.append(text[start:])
    return out
