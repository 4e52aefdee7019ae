"""From characters to words: what is held back, and what is read of it."""

from __future__ import annotations

import re
from collections import deque

LIMIT = 2048
"""Characters of one word; what goes on beyond is another, so that little is ever held back."""

INVISIBLE = (
    "\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f\u00ad\u061c\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f"
)
"""Characters that nobody sees, for a character class: they hide an address from a reader."""

_SPACE = r" \u00a0\u202f\u2009"
_END = r"\s<>\"|`{}«»“”„"
"""What no address holds."""
_WORD = rf"[^{_END}]{{1,{LIMIT}}}"
_JOINED = rf"(?<=[\d){INVISIBLE}])[{_SPACE}](?=[\d({INVISIBLE}])"

UNIT = re.compile(rf"{_WORD}(?:{_JOINED}{_WORD}){{0,200}}")
"""A word, or a number with the spaces within it: what is judged at once."""

_WAITING = re.compile(rf"[\d){INVISIBLE}][{_SPACE}]\Z")
_HIDDEN = re.compile(f"[{INVISIBLE}]")
_LOOK_ALIKE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | dict(
    zip(map(ord, "。｡․∕⁄"), map(ord, "...//"), strict=True)
)
"""Full-width letters and signs, which browsers read as the plain ones (UTS 46)."""


def finished(text: str) -> int:
    """Return how much of ``text``, which begins with a unit or between two, no more can change."""
    last = deque(UNIT.finditer(text), maxlen=1)
    if not last:
        return len(text)
    start, end = last[0].span()
    waits = end == len(text) - 1 and _WAITING.search(text, end - 1)
    return start if end == len(text) or waits else len(text)


def as_read(text: str) -> str:
    """Return ``text`` with look-alike signs made plain, character by character."""
    return text if text.isascii() else text.translate(_LOOK_ALIKE)


def seen(text: str) -> str:
    """Return ``text`` without what nobody sees in it."""
    return _HIDDEN.sub("", text)
