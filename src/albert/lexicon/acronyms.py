"""Acronyms, mined from the sheets: their publishers explain them in passing."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from albert.domain.documents import Sheet
from albert.lexicon.lexicon import Acronym, Lexicon
from albert.lexicon.words import SMALL, WORD, fold, words

_LONG_THEN_SHORT = re.compile(r"([^()\n]{6,160}?)\s\(([A-Z][A-Za-z]{1,9})\)")
_SHORT_THEN_LONG = re.compile(r"\b([A-Z][A-Za-z]{1,9})\s\(([^()\n]{6,120})\)")
_PREFIX = 4
"""Letters that one word may lend ("Urssaf" takes two of "sécurité", "Pacs" two of "pacte")."""
_TOLD = 3
"""Weight of an acronym that the publisher marked as such, against one found in a title."""
_LONGEST = 100
_SECOND = 0.25
"""Share of the first meaning's votes from which a second one is kept."""
_ORDINARY_LETTERS = 2
_ORDINARY_USES = 5
"""Lower-case uses in the corpus from which the letters count as an ordinary word."""


def mine(sheets: Iterable[Sheet]) -> Lexicon:
    """Return the acronyms that these sheets explain, with their one or two usual meanings."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    used: Counter[str] = Counter()
    for sheet in sheets:
        for letters, meaning, weight in _explained(sheet):
            key = " ".join(words(meaning))
            votes[fold(letters).upper()][key] += weight
            forms[key][meaning] += 1
        used.update(_lower_case(sheet))
    return Lexicon(
        Acronym(
            letters,
            tuple(forms[key].most_common(1)[0][0] for key in _usual(found)),
            ordinary=len(letters) <= _ORDINARY_LETTERS or used[letters.lower()] >= _ORDINARY_USES,
        )
        for letters, found in sorted(votes.items())
    )


def _usual(found: Counter[str]) -> list[str]:
    """Return the most frequent meaning, and a second one if it is frequent and truly another."""
    (first, most), *others = found.most_common()
    for other, votes in others:
        if votes >= most * _SECOND and _stump(other) != _stump(first):
            return [first, other]
    return [first]


def _stump(meaning: str) -> list[str]:
    """The words that count, cut short: a plural is the same meaning."""
    return [word[:5] for word in meaning.split() if word not in SMALL]


def agrees(letters: str, meaning: Sequence[str]) -> bool:
    """Whether ``letters`` begin the words, in order, each word that counts lending some.

    Both folded: ``agrees("caf", ["caisse", "d", "allocations", "familiales"])``.
    """
    if not meaning:
        return not letters
    first, rest = meaning[0], meaning[1:]
    if first in SMALL and agrees(letters, rest):
        return True
    return any(
        letters.startswith(first[:size]) and agrees(letters[size:], rest)
        for size in range(1, min(_PREFIX, len(first), len(letters)) + 1)
    )


def _explained(sheet: Sheet) -> Iterator[tuple[str, str, int]]:
    for term in sheet.terms:
        meaning = term.meaning.rstrip(" .")
        if term.kind == "acronym" and term.term.isalpha() and len(meaning) <= _LONGEST:
            yield term.term, meaning, _TOLD
        elif term.kind == "definition":
            yield from found_in(term.term)
    headings = dict.fromkeys(heading for section in sheet.sections for heading in section.headings)
    for line in (sheet.title, *headings, sheet.introduction):
        yield from found_in(line)


def found_in(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield acronym, meaning and weight for each one that ``text`` explains in brackets."""
    for before, letters in _LONG_THEN_SHORT.findall(text):
        if meaning := _ending(before, fold(letters)):
            yield letters, meaning, 1
    for letters, inside in _SHORT_THEN_LONG.findall(text):
        if agrees(fold(letters), words(inside)):
            yield letters, inside.strip(), 1


def _ending(before: str, letters: str) -> str:
    """Return the shortest end of ``before`` that the letters stand for, or nothing."""
    spans = list(WORD.finditer(before))
    folded = [fold(span.group()) for span in spans]
    for start in range(len(spans) - 1, -1, -1):
        if folded[start] not in SMALL and agrees(letters, folded[start:]):
            found = before[spans[start].start() :].strip()
            return found if len(found) > len(letters) + 2 else ""
    return ""


def _lower_case(sheet: Sheet) -> Iterator[str]:
    for section in sheet.sections:
        yield from (fold(w) for w in WORD.findall(section.text) if len(w) <= 10 and w.islower())
