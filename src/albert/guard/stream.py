"""Guarding a text while it is being written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from albert.domain.documents import Chunk
from albert.guard import mails, phones, urls
from albert.guard.contract import CHECK_OF, CHECKS, MASKS, Check, Finding, Known
from albert.guard.pages import CitedPages
from albert.guard.recognise import TRIGGER, Address, addresses, core, stripped
from albert.guard.words import LIMIT, UNIT, as_read, finished, seen

CONTEXT = 300
"""Characters already shown that may tell what follows: a link's label, "appelez le"."""
MOST_FINDINGS = 200
"""Told of one text; what follows is replaced all the same."""

_LABEL = re.compile(r"\[([^\[\]\n]{1,200})\Z")
_WELDED_BEFORE = re.compile(r"[\w/@:%&=#+\\$.-]\Z")
_WELDED_AFTER = re.compile(r"[^\s\[\]<>\"|`{}«»“”„]*?[^\s\[\]<>\"|`{}«»“”„_.,;:!?*~'’()…]")


class GuardStream:
    """Replaces what is not known: word by word, whatever pieces the words come in.

    Each word is judged whole, once, from itself and from what was shown before it;
    so how the text was cut cannot matter.
    """

    def __init__(
        self, known: Known, cited: Sequence[Chunk] = (), checks: frozenset[Check] = CHECKS
    ) -> None:
        self._known = known
        self._cited = CitedPages(cited)
        self._checks = checks
        self._held = ""
        self._shown = ""
        self._glued = False
        self._open = False
        self._findings: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._findings)

    def feed(self, text: str) -> str:
        text = self._held + text
        cut = finished(text)
        self._held = text[cut:]
        return self._guarded(text[:cut])

    def end(self) -> str:
        text, self._held = self._held, ""
        return self._guarded(text)

    def _guarded(self, text: str) -> str:
        if not self._glued and len(text) < LIMIT and TRIGGER.search(text) is None:
            return self._show(text)
        pieces: list[str] = []
        done = 0
        for unit in UNIT.finditer(text):
            if unit.start() > done:
                pieces.append(self._between(text[done : unit.start()]))
            pieces.append(self._show(self._unit(unit[0])))
            self._glued = True
            done = unit.end()
        if done < len(text):
            pieces.append(self._between(text[done:]))
        return "".join(pieces)

    def _between(self, text: str) -> str:
        self._glued = self._open = False
        return self._show(text)

    def _show(self, text: str) -> str:
        self._shown = (self._shown + text)[-CONTEXT:]
        return text

    def _unit(self, unit: str) -> str:
        """Return what is shown of a word, or of a number with its spaces."""
        if self._open:
            return self._rest_of_open(unit)
        if TRIGGER.search(unit) is None and not self._glued:
            return unit
        text, start = self._shown + as_read(seen(unit)), len(self._shown)
        found = [one for one in addresses(text, self._beginning()) if one.end > start]
        if not found:
            return unit
        shown: list[str] = []
        done = start
        for one in found:
            if (judged := self._judged(one, text)) is None:
                continue
            replacement, end = judged
            if len(unit) >= LIMIT and one.end == len(text):
                self._open, end = True, one.end
            first = max(one.start, done)
            shown += [text[done:first], _apart(text[:first], replacement, text[end:])]
            done = end
        return "".join([*shown, text[done:]])

    def _beginning(self) -> int:
        """Return where to look for addresses from, in what was shown and the next word.

        A word of more than ``LIMIT`` characters comes in parts, which may make an
        address together.
        """
        if not self._glued:
            return len(self._shown)
        return max(self._shown.rfind(blank) for blank in " \n\t") + 1

    def _rest_of_open(self, unit: str) -> str:
        """Leave out what continues a masked link of more than ``LIMIT`` characters."""
        blank = re.search(r"\s", unit)
        if blank is None:
            return ""
        self._glued = self._open = False
        return blank[0] + self._unit(unit[blank.end() :])

    def _judged(self, found: Address, text: str) -> tuple[str, int] | None:
        """Return what replaces an address and where that ends, or nothing if it may stay."""
        if CHECK_OF[found.kind] not in self._checks:
            return None
        if found.link:
            return self._link(found, text[: found.start])
        if found.kind == "url":
            if any(self._knows_page(urls.key(each)) for each in stripped(found.written)):
                return None
            written = core(found.written)
        else:
            written = found.written
            if self._knows(found):
                return None
        replacement = self._replacement(found, written)
        return replacement, found.start + len(written)

    def _link(self, found: Address, before: str) -> tuple[str, int] | None:
        """Judge ``](address)``: masked, its label stays as text."""
        if self._knows(found):
            return None
        label = _LABEL.search(before)
        replacement = self._replacement(found, found.written, label[1] if label else "")
        masked = replacement == MASKS[found.kind]
        return (f"] ({replacement})" if masked else f"]({replacement})"), found.end

    def _replacement(self, found: Address, written: str, label: str = "") -> str:
        page = self._page(written, label) if found.kind == "url" else ""
        replacement = page or MASKS[found.kind]
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(Finding(found.kind, written, replacement))
        return replacement

    def _page(self, written: str, label: str) -> str:
        """Return the known page that an unknown link stands for, or nothing."""
        plain = urls.plain(written)
        if plain != written and self._knows_page(urls.key(plain)):
            return plain
        return self._cited.fitting(written, label)

    def _knows(self, found: Address) -> bool:
        scheme, colon, rest = found.written.partition(":")
        if found.kind == "url":
            return self._knows_page(urls.key(found.written))
        named = rest if colon and scheme.lower() in ("mailto", "tel") else found.written
        key = mails.key(named) if found.kind == "mail" else phones.key(named)
        return self._known.knows(found.kind, key)

    def _knows_page(self, key: str) -> bool:
        return bool(key) and (self._cited.knows(key) or self._known.knows("url", key))


def _apart(before: str, replacement: str, after: str) -> str:
    """Return the replacement so that what stands around it makes no other link with it."""
    if replacement.startswith("]"):
        return replacement
    if replacement.startswith("["):
        return f"{replacement} " if after.startswith("(") else replacement
    left = " " if _WELDED_BEFORE.search(before) else ""
    right = " " if _WELDED_AFTER.match(after) else ""
    return f"{left}{replacement}{right}"


class AddressGuard:
    """Guards against one whitelist, which may be replaced between two texts."""

    def __init__(self, known: Callable[[], Known]) -> None:
        self._known = known

    def open(self, cited: Sequence[Chunk], checks: frozenset[Check]) -> GuardStream:
        return GuardStream(self._known(), cited, checks)
