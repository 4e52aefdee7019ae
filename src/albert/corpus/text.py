"""Text as we keep it: one form for each character, one space between words, French punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_SUPERSCRIPTS = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
_SUBSCRIPTS = dict(zip("0123456789", "₀₁₂₃₄₅₆₇₈₉", strict=True))
_KEPT = frozenset((*_SUPERSCRIPTS.values(), *_SUBSCRIPTS.values()))
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff\x00-\x08\x0e-\x1b\x7f]")
_RARE = re.compile(f"{_INVISIBLE.pattern}|[{''.join(sorted(_KEPT))}]")
_WORD = re.compile(r"[^\W_]+")


def normalise(text: str) -> str:
    """Return ``text`` in NFKC with spaces folded, but for digits raised or lowered.

    NFKC turns "m²" into "m2" and "10³" into "103", which changes a figure: those
    characters stay as they are.
    """
    if _RARE.search(text):
        text = _INVISIBLE.sub("", text)
        text = "".join(c if c in _KEPT else unicodedata.normalize("NFKC", c) for c in text)
        text = unicodedata.normalize("NFC", text)
    elif not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())


def raised(text: str) -> str:
    """Return the text of an exponent: digits as superscripts, letters ("er", "ème") plain."""
    return "".join(_SUPERSCRIPTS.get(c, c) for c in text) if text.strip().isdigit() else text


def lowered(text: str) -> str:
    """Return the text of an index: digits as subscripts, the rest plain."""
    return "".join(_SUBSCRIPTS.get(c, c) for c in text) if text.strip().isdigit() else text


def words(text: str) -> Counter[str]:
    """Return the multiset of words, lower-cased: source and passages must have the same."""
    return Counter(_WORD.findall(text.lower()))
