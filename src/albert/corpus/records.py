"""Our dataclasses, out of the JSON that was made of them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import orjson

from albert.domain.documents import (
    Chunk,
    Contact,
    Institution,
    Link,
    RelatedQuestion,
    Section,
    Sheet,
    Term,
    WebService,
)

R = TypeVar("R")


def chunk_from_json(body: bytes) -> Chunk:
    """Decode a passage; its id is computed again from its content."""
    values = orjson.loads(body)
    del values["id"]
    return _record(Chunk, values)


def sheet_from_json(body: bytes) -> Sheet:
    values = orjson.loads(body)
    parts: dict[str, type[Any]] = {
        "sections": Section,
        "web_services": WebService,
        "related_questions": RelatedQuestion,
        "contacts": Contact,
        "links": Link,
        "terms": Term,
    }
    for name, kind in parts.items():
        values[name] = [_record(kind, value) for value in values[name]]
    return _record(Sheet, values)


def institution_from_json(body: bytes) -> Institution:
    return _record(Institution, orjson.loads(body))


def _record(kind: type[R], values: dict[str, Any]) -> R:
    """Make one of our dataclasses from its own JSON: lists become tuples, unknown names go."""
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # R is always a dataclass
    return kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    )
