"""Words as the lexicon compares them: without accents, in lower case."""

from __future__ import annotations

import re
import unicodedata

WORD = re.compile(r"[^\W_]+")
SMALL = frozenset(
    {
        *("a", "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les"),
        *("ou", "par", "pour", "qu", "s", "sans", "sous", "sur", "un", "une"),
    }
)
"""Words that an acronym may pass over."""


def fold(text: str) -> str:
    """Return ``text`` in lower case without accents or ligatures."""
    plain = text.lower().replace("œ", "oe").replace("æ", "ae")
    if plain.isascii():
        return plain
    decomposed = unicodedata.normalize("NFKD", plain)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    return WORD.findall(fold(text))
