"""The pages that an answer cites, and which of them a made-up link surely means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from albert.domain.documents import Chunk
from albert.guard import urls
from albert.lexicon.words import SMALL, words

FITS = 0.6
"""Share of words in common, among all the words of both, from which a page is the right one."""
_FEWEST = 2
_MARGIN = 0.15
"""What the best page must have over the next: between two, a mask is better."""


@dataclass(frozen=True, slots=True)
class _Page:
    url: str
    key: str
    title: frozenset[str]
    slug: frozenset[str]


class CitedPages:
    """The sheets that an answer cites: their addresses are known, and may replace others."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        pages: dict[str, _Page] = {}
        for chunk in chunks:
            url = chunk.url.partition("#")[0]
            if key := urls.key(url):
                pages.setdefault(key, _Page(url, key, _words(chunk.title), _words(_last(key))))
        self._pages = pages

    def knows(self, key: str) -> bool:
        return key in self._pages

    def fitting(self, written: str, label: str) -> str:
        """Return the page meant by an unknown link with that label, or nothing.

        In turn: the same page under another query or path above it; a page of the
        same host with nearly the same words in its address; a title that the label,
        or else the words of the link, says nearly word for word.
        """
        key = urls.key(urls.plain(written))
        if not key or not self._pages:
            return ""
        return (
            self._same(key)
            or self._nearest(_words(_last(key)), "slug", urls.host_of(key))
            or self._nearest(_words(label), "title")
            or self._nearest(_words(_last(key)), "title")
        )

    def _same(self, key: str) -> str:
        host, path, last = urls.host_of(key), _path(key), _last(key)
        found = [
            page.url
            for page in self._pages.values()
            if urls.host_of(page.key) == host
            and (
                (path and _path(page.key).lower() == path.lower())
                or (re.search(r"\d{2}", last) and _last(page.key).lower() == last.lower())
            )
        ]
        return found[0] if len(found) == 1 else ""

    def _nearest(self, said: frozenset[str], what: str, host: str = "") -> str:
        pages: Iterable[_Page] = self._pages.values()
        scored = sorted(
            (
                (_alike(said, page.slug if what == "slug" else page.title), page.url)
                for page in pages
                if not host or urls.host_of(page.key) == host
            ),
            reverse=True,
        )
        if not scored or scored[0][0] < FITS:
            return ""
        clear = len(scored) == 1 or scored[0][0] - scored[1][0] >= _MARGIN
        return scored[0][1] if clear else ""


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    together = one & other
    return len(together) / len(one | other) if len(together) >= _FEWEST else 0.0


def _words(text: str) -> frozenset[str]:
    return frozenset(words(text)) - SMALL


def _path(key: str) -> str:
    return key.partition("?")[0].partition("/")[2]


def _last(key: str) -> str:
    """Return the last step of the path, without the ending of a file."""
    return re.sub(r"\.\w{2,5}\Z", "", unquote(_path(key).rpartition("/")[2]))
