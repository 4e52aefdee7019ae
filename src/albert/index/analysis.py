"""French analysis: from a text to the terms that match, alike for documents and questions."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from albert.corpus.text import normalise

_APOSTROPHES = str.maketrans("’ʼ‘`´", "'''''")
_ELISION = re.compile(r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|presqu|quelqu|entr)'")
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.){2,}[^\W\d_]?(?![^\W_])")
_THOUSANDS = re.compile(r"(?<=\d)[ .](?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\W_]+")
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})
_LONGEST = 64
"""Letters of a term; a longer run of letters is an accident or an attack, and is cut."""

_stemming = threading.Lock()


def fold(word: str) -> str:
    """Return ``word`` without accents or ligatures: "bénéficié" and "beneficie" must meet."""
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFKD", word.translate(_LIGATURES))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def tokens(text: str) -> list[str]:
    """Return the words of ``text``, lower-cased, accents kept, elisions cut off.

    "R.S.A." is one word, so is "1 500"; "prud'hommes" is one word too.
    """
    plain = normalise(text).lower().translate(_APOSTROPHES)
    if "'" in plain:
        plain = _ELISION.sub(" ", plain).replace("prud'", "prud")
    if "." in plain:
        plain = _INITIALS.sub(lambda found: found.group().replace(".", "") + " ", plain)
    return _WORD.findall(_THOUSANDS.sub("", plain))


def terms(text: str) -> list[str]:
    """Return the terms of ``text``, in order, repeated as often as they occur.

    Accents go first and the Snowball stemmer after them: citizens leave accents
    out, and a stem must not depend on that (``docs/decisions/0003``). A word with
    a digit ("2042", "A1") is a code and is kept whole.
    """
    return [term for word in tokens(text) if (term := _term(word))]


@lru_cache(maxsize=200_000)
def _term(word: str) -> str:
    """The term of one word, or ``""`` for a stop word."""
    folded = fold(word)[:_LONGEST]
    if folded in _stop_words():
        return ""
    if not folded.isalpha():
        return folded
    with _stemming:  # a Snowball stemmer has one buffer
        stem: str = _stemmer().stemWord(folded)
    return stem


@cache
def _stop_words() -> frozenset[str]:
    lines = (files("albert.index") / "data" / "stopwords.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def _stemmer() -> Any:  # noqa: ANN401 - PyStemmer ships no types
    from Stemmer import Stemmer

    return Stemmer("french")
