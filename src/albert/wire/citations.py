"""What a client receives of a passage that an answer rests on."""

from __future__ import annotations

from typing import TypedDict

from albert.domain.documents import PUBLISHERS, Chunk, Publisher, Sheet


class CitationJson(TypedDict):
    """``quote`` is word for word, and empty where the answer quotes nothing of the passage."""

    hash: str
    sid: str
    source: str
    title: str
    path: list[str]
    date: str
    url: str
    quote: str
    publisher: str
    licence: str


def publisher_of(told: Chunk | Sheet) -> Publisher:
    """Return who publishes a passage or a sheet; a source of one's own is its own publisher."""
    return PUBLISHERS.get(told.source) or Publisher(name=told.source, licence="")


def citation(chunk: Chunk, quote: str = "") -> CitationJson:
    publisher = publisher_of(chunk)
    return CitationJson(
        hash=chunk.id,
        sid=chunk.sheet,
        source=chunk.source,
        title=chunk.title,
        path=list(chunk.headings),
        date=chunk.date,
        url=chunk.url,
        quote=quote,
        publisher=publisher.name,
        licence=publisher.licence,
    )
