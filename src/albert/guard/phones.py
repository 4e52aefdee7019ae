"""How telephone numbers are written in France, and which number a writing means."""

from __future__ import annotations

import re

_ALONE = r"(?![^\W_]|[\w.+-]{0,80}@[^\W_][\w-]*\.[\w-])"
"""Ends a number: what goes on is no word, and no e-mail address."""
_S = r"[ \u00a0\u202f\u2009./\u2010\u2011-]"
TEN = rf"0{_S}?[1-9](?:{_S}?\d){{8}}{_ALONE}"
"""Ten digits; ``is_grouped`` refuses those that are no telephone number."""
_FRENCH = rf"\(?(?:\+|00){_S}?33\)?{_S}?(?:\(0\){_S}?)?[1-9](?:{_S}?\d){{8}}{_ALONE}"
_FOREIGN = rf"\+\d(?:{_S}?\d){{7,14}}{_ALONE}"
LONG = rf"(?:{_FRENCH}|{_FOREIGN}|{TEN})"
SHORT = r"(?:3\d[ \u00a0\u202f.]?\d{2,3}|10[ \u00a0\u202f.]?\d\d|11[68][ \u00a0\u202f]?\d{3}|11\d)"
"""3939, 39 39, 33 700, 1014, 116 117, 119: telephone numbers only where the text says so."""

_DIGITS = re.compile(r"\d")
_GROUP = re.compile(r"\d+")
_DATE = re.compile(r"\d\d([./-])[01]\d\1(?:19|20)\d\d(?!\d)")
_CALL = re.compile(
    r"(?:\bappel|t[ée]l[ée]phon|\bt[ée]l\b|\bcompos(?:ez|er|ant)|\bjoindre|\bjoignable|"
    r"\bcontact|\bnum[ée]ro|\bsms\b|\ball[oô]\b)(?:(?![!?\n]|\.\s|"
    r"formulaire|article|cerfa|imprim[ée]|annexe|\bpage|\bcode|\bloi\b|d[ée]cret).){0,50}\Z",
    re.IGNORECASE,
)
_JUST_BEFORE = re.compile(
    r"(?:(?:\b(?:au|le|du|num[ée]ro|t[ée]l|t[ée]l[ée]phone|appelez|appeler|composez|composer|ou|et|"
    r"vert|court|unique|gratuit|sms)\b|n°)[ .:*_(\u00a0\u202f]*|:[ *_(\u00a0\u202f]*)\Z",
    re.IGNORECASE,
)
_AFTER = re.compile(r"[^\W_]|[ \u00a0\u202f]?(?:€|%|euros?\b)|[,.]\d|°|[ \u00a0\u202f]\d{3}(?!\d)")


def key(number: str) -> str:
    """Return its digits, as dialled in France: ``"+33 (0)1 23…"`` is ``"0123…"``."""
    found = "".join(str(int(digit)) for digit in _DIGITS.findall(number))
    abroad = number.lstrip("( ").startswith("+")
    if abroad or found.startswith("0033"):
        found = found.removeprefix("00")
        if found.startswith("33"):
            return f"0{found[2:].removeprefix('0')}"
        return f"+{found}"
    return found


def is_grouped(number: str) -> bool:
    """Whether ten digits are in the groups of a telephone number, and do not begin with a date."""
    if number.startswith(("+", "(", "00")):
        return True
    groups = _GROUP.findall(number)
    sizes = [len(group) for group in (groups[1:] if groups[0] == "0" else groups)]
    return min(sizes) > 1 and _DATE.match(number) is None


def is_called(text: str, start: int, end: int) -> bool:
    """Whether the text around says that the few digits in ``text[start:end]`` are to be dialled.

    Else they are a price, a year, a form, an article, a number of days.
    """
    before = text[max(0, start - 80) : start]
    return (
        _JUST_BEFORE.search(before) is not None
        and _CALL.search(before) is not None
        and _AFTER.match(text, end) is None
    )
