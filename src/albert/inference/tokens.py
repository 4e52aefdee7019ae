"""How many tokens a text may have, where no tokenizer is at hand."""

from __future__ import annotations

_ALONE = (
    bytes(range(33, 65)) + bytes(range(91, 97)) + bytes(range(123, 127)) + bytes(range(206, 256))
)


def upper_bound(text: str) -> int:
    """Return what no tokenizer is known to exceed.

    Each digit, each sign of ASCII punctuation, and one more for each character
    beyond Latin counts 1; the other bytes, letters and blanks, count one half:
    see ``docs/decisions/0004-models-on-the-cpu.md`` for what was measured.
    """
    octets = text.encode("utf-8", "replace")
    others = len(octets.translate(None, _ALONE))
    return len(octets) - others + (others + 1) // 2
