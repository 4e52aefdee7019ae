"""What in a text is an address: links, mailboxes, telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from albert.guard import phones
from albert.guard.contract import Kind
from albert.guard.words import INVISIBLE

_TLDS = (
    "fr|com|org|net|eu|info|gouv|paris|bzh|alsace|corsica|re|gp|mq|gf|yt|pf|nc|wf|pm|tf|"
    "biz|int|gov|edu|coop|cloud|sncf|io|app|dev|co|tv|cc|ws|online|website|store|shop|"
    "xyz|click|mobi|name|agency|help|today|news|tech|icu|world|center|ly|gl|uk|us|ch|be|"
    "lu|it|pt|nl|pl|ro|ru|ua|su|cn|jp|br|tk|ml|ga|cf|gq|pw|cz|dk|fi|gr|hu|sk|tr|xn--[a-z0-9-]+"
)
"""Ends of hosts that are read as such without ``www`` or a scheme."""
_WORDS = (
    "pro|site|club|top|live|link|page|support|services|space|vip|work|zone|digital|group|"
    "se|es|to|ca"
)
"""Those that are also words, after a full stop without a space: only with a path."""

_REST = r"[^\s<>\"|`{}«»“”„\[\]]"
_SENTENCE = ".,;:!?*~'’()}…"
_LABEL = r"[^\W_][\w-]*\."
_FOUND = re.compile(
    rf"""
    \]\((?P<inner>(?=[\#\w-]*[^\s()\[\]\#\w-])
        [^\s()\[\]]*(?:\([^\s()\[\]]*\)[^\s()\[\]]*)*)\)
    |(?P<url>(?<![a-z0-9])
        (?:(?:[a-z][a-z0-9+.-]{{0,20}}:[/\\]{{2,}}|https?:[/\\]*|//(?=[\w-]+\.))
            (?=\[?[^\s<>\"|`{{}}«»“”„\[\]/\\{_SENTENCE}])
        |(?:javascript|vbscript)(?::|&colon;|&\#)(?=\S)|data:(?=[\w.+-]*[/;,])|(?:file|blob):(?=\S))
        \[?{_REST}*)
    |(?P<mail>(?<![\w.+-])[\w.+-]{{1,80}}@(?:[^\W_][\w-]*)(?:\.[\w-]+)+)
    |(?P<www>(?<![^\W_])www\d?\.[\w-]{_REST}*)
    |(?P<host>(?<![^\W_])(?<![^\W_][._-])(?:{_LABEL})+
        (?:(?:{_TLDS})(?![^\W_]|-[^\W_])(?::\d+)?(?:[/?\#\\]{_REST}*)?
        |(?:{_WORDS})(?::\d+)?/[^\W_]{_REST}*))
    |(?P<long>(?:(?<![^\W_])|(?=\+)){phones.LONG})
    |(?P<short>(?<![^\W_])(?<![\d][.,/-]){phones.SHORT}(?!\d))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER_BEFORE = re.compile(r"(?<![^\W_])\d{1,15}[ \u00a0\u202f\u2009./\u2010\u2011-]\Z")
_TRAILING = frozenset(f"{_SENTENCE}_\\")
_MAIL_EDGE = "._+-"

TRIGGER = re.compile(
    rf"[@＠\d\\{INVISIBLE}]|[./:．。｡․：∕⁄／](?=[^\s<>\"|`{{}}«»“”„)])|\]\(|&colon;", re.IGNORECASE
)
"""Without any of these, a text holds nothing to check."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it is written in ``text[start:end]``; ``link`` as a whole ``](address)``."""

    kind: Kind
    start: int
    end: int
    written: str
    link: bool = False


def addresses(text: str, start: int = 0) -> Iterator[Address]:
    """Yield what is an address in ``text`` from ``start``, in order; what precedes is context."""
    after = -1
    for found in _FOUND.finditer(text, start):
        group = str(found.lastgroup)
        if group in ("long", "short") and not _is_number(text, found, after):
            continue
        after = found.end() + 1
        yield _address(group, found)


def stripped(written: str) -> Iterator[str]:
    """Yield a link with ever less of the punctuation at its end, the longest first."""
    end = len(written)
    yield written
    while end > 1 and written[end - 1] in _TRAILING:
        end -= 1
        yield written[:end]


def core(written: str) -> str:
    """Return a link without the punctuation of the sentence around it (as GFM reads links)."""
    end = len(written)
    while end > 1 and (last := written[end - 1]) in _TRAILING:
        if last == ")" and written.count("(", 0, end) >= written.count(")", 0, end):
            break
        end -= 1
    return written[:end]


def _is_number(text: str, found: re.Match[str], after: int) -> bool:
    """Whether digits are a telephone number, and not the end of a longer number."""
    start, end = found.span()
    if start != after and _NUMBER_BEFORE.search(text, max(0, start - 16), start):
        return False
    if found.lastgroup == "long":
        return phones.is_grouped(found[0])
    return phones.is_called(text, start, end)


def _address(group: str, found: re.Match[str]) -> Address:
    written, start, end = found[group], *found.span()
    if group == "inner":
        return Address(_kind_of(written), start, end, written, link=True)
    if group == "mail":
        kept = written.strip(_MAIL_EDGE)
        start += written.index(kept)
        return Address("mail", start, start + len(kept), kept)
    if group in ("long", "short"):
        return Address("number", start, end, written)
    return Address("url", start, end, written)


def _kind_of(target: str) -> Kind:
    """Return what a link of Markdown leads to."""
    lower = target.lower()
    if lower.startswith("mailto:"):
        return "mail"
    if lower.startswith("tel:"):
        return "number"
    return "mail" if "@" in target and not set("/\\:") & set(target) else "url"
